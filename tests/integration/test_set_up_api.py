"""How sources and destinations are set up, test events, and the chain of actions, over HTTP."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service.domain.errors import DependencyUnavailable
from service.intake.providers import registry
from service.intake.receive import Sender
from service.ops import attempts, audit, lookups
from service.ops.lookups import Page
from service.ops.rehearsals import Answered
from service.ops.sources import Configured
from service.settings import BearerRule, Destination, QueryRule, Secret, Source, SubjectRule
from service.store import actions, pool
from service.store.attempts import AttemptFilter
from service.store.ids import first_id
from service.store.lookups import EventFilter
from service.store.pool import Pool, transaction
from tests import internals, rows
from tests.integration.test_traffic_api import conform

pytestmark = pytest.mark.postgres

WORD = "nobody-may-read-this"
SHOP = Source(
    name="shop",
    provider="generic",
    secrets=(Secret("env:SHOP_SECRET", value=WORD.encode()),),
    verify=BearerRule(),
    key="id",
    subject=SubjectRule(ref="order"),
    status="status",
    statuses={"PAID": "payment.paid"},
)
OTHER = SHOP.model_copy(update={"name": "other", "verify": QueryRule(parameter="k")})
CRM = Destination(
    name="crm",
    crm="hubspot",
    token=Secret("file:/run/secrets/crm", value=WORD.encode()),
    statuses={"paid": "closedwon"},
)


@dataclass
class Stage:
    """Plays the shop, or does not."""

    away: bool = False
    obstacle_is: str | None = None
    played: list[tuple[str, str, str]] = field(default_factory=list)

    def samples(self, _source: Source, /) -> Sequence[str]:
        return ("PAID", "SHIPPED")

    def obstacle(self, _source: Source, /) -> str | None:
        return self.obstacle_is

    async def send(self, source: Source, *, sample: str, order: str) -> Answered:
        if self.away:
            raise DependencyUnavailable("No gateway answers.")
        self.played.append((source.name, sample, order))
        return Answered(202, '{"events":1}')


@dataclass
class Api:
    url: str
    session: aiohttp.ClientSession
    stage: Stage

    async def ask(self, method: str, path: str, *, role: str = "admin", **said: Any) -> Any:
        async with self.session.request(
            method, f"{self.url}{path}", headers=internals.bearer(role=role), **said
        ) as answer:
            return answer.status, await answer.json(content_type=None)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    stage = Stage()
    configured = Configured(
        senders=lambda: {
            each.name: Sender(each, registry.preset("generic").build(each))
            for each in (SHOP, OTHER)
        },
        destinations=lambda: {"crm": CRM},
        public_url="https://hooks.example.com/",
        rehearsal=stage,
    )
    async with (
        internals.opened(database, configured=configured) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Api(f"{url}/api/v1", session, stage)


async def test_a_source_tells_how_it_is_set_up(api: Api) -> None:
    status, body = await api.ask("GET", "/sources/shop", role="viewer")
    assert 200 == status
    conform(body, "SourcePage")
    assert "https://hooks.example.com/webhooks/shop" == body["url"]
    assert ["env:SHOP_SECRET"] == body["configuration"]["secrets"]
    assert "5m" == body["configuration"]["tolerance"]
    assert "provider" in body["given"]
    assert "rate" not in body["given"]
    assert registry.preset("generic").title == body["title"]
    assert (["PAID", "SHIPPED"], None) == (body["samples"], body["obstacle"])
    assert WORD not in str(body)


async def test_the_secret_of_a_url_is_named_and_not_told(api: Api) -> None:
    _, body = await api.ask("GET", "/sources/other")
    assert "/webhooks/other?k=[token]" == body["path"]
    assert "env:SHOP_SECRET" == body["token_at"]


async def test_a_destination_tells_how_it_is_set_up_and_how_it_stands(
    api: Api, store: Pool
) -> None:
    async with transaction(store) as tx:
        await tx.execute(
            "INSERT INTO budgets (destination, name, count, period) VALUES ('crm', 'a', 9, '1 d')"
        )
    assert 200 == (await api.ask("POST", "/destinations/crm/pause", json={"reason": "Why not"}))[0]
    status, body = await api.ask("GET", "/destinations/crm", role="viewer")
    assert 200 == status
    conform(body, "DestinationPage")
    assert ("paused", "Why not") == (body["state"], body["paused"]["reason"])
    assert ["a"] == [each["limit"] for each in body["budgets"]]
    assert "file:/run/secrets/crm" == body["configuration"]["token"]
    assert {"paid": "closedwon"} == body["configuration"]["statuses"]
    assert body["keeps_records"]
    assert WORD not in str(body)


@pytest.mark.parametrize("path", ["/sources/none", "/destinations/none"])
async def test_what_is_not_configured_is_not_there(api: Api, path: str) -> None:
    status, body = await api.ask("GET", path)
    assert 404 == status
    assert "none; configured are:" in body["detail"]


async def test_a_test_event_is_sent_and_written_down(api: Api, store: Pool) -> None:
    status, body = await api.ask(
        "POST", "/sources/shop/test", role="operator", json={"sample": "PAID"}
    )
    assert 200 == status
    conform(body, "TestAnswer")
    assert (True, 202, "TEST-1") == (body["taken"], body["status"], body["order"])
    assert [("shop", "PAID", "TEST-1")] == api.stage.played
    async with transaction(store) as tx:
        row = await tx.fetchrow("SELECT actor, action, target, detail FROM operator_actions")
    assert row is not None
    assert ("anna", "source.test", "shop") == tuple(row[:3])
    assert {"sample": "PAID", "order": "TEST-1"} == row["detail"]


@pytest.mark.parametrize(
    ("path", "said", "status", "word"),
    [
        ("shop", {"sample": "NOPE"}, 400, "has no sample NOPE; there is: PAID, SHIPPED."),
        ("shop", {"sample": "PAID", "order": " "}, 400, "order number"),
        ("shop", {"sample": "PAID", "order": "ü" * 60}, 400, "order number"),
        ("shop", {"sample": "PAID", "order": "x" * 65}, 400, "order"),
        ("shop", {"sample": "PAID", "more": 1}, 400, "'more' is not known"),
        ("none", {"sample": "PAID"}, 404, "There is no source none"),
    ],
)
async def test_a_test_event_that_cannot_be_sent_is_refused(
    api: Api, path: str, said: Any, status: int, word: str
) -> None:
    found, body = await api.ask("POST", f"/sources/{path}/test", json=said)
    assert status == found
    assert word in body["detail"]
    assert [] == api.stage.played


async def test_a_sender_that_cannot_be_played_and_a_listener_that_is_away(api: Api) -> None:
    api.stage.away = True
    assert 503 == (await api.ask("POST", "/sources/shop/test", json={"sample": "PAID"}))[0]
    api.stage.obstacle_is = "It signs with a private key."
    status, body = await api.ask("POST", "/sources/shop/test", json={"sample": "PAID"})
    assert (409, "It signs with a private key.") == (status, body["detail"])


async def test_viewers_send_nothing(api: Api) -> None:
    status, _ = await api.ask("POST", "/sources/shop/test", role="viewer", json={"sample": "PAID"})
    assert (403, []) == (status, api.stage.played)


async def test_the_chain_is_verified_over_http(api: Api, store: Pool) -> None:
    for number in range(3):
        async with transaction(store) as tx:
            await actions.record(tx, "anna", "subject.correct", target=str(number), detail={})
    head = await audit.head(store)
    status, body = await api.ask("GET", "/audit/verification", params={"head": head})
    conform(body, "AuditVerdict")
    assert (200, True, 3, head) == (status, body["whole"], body["links"], body["head"])
    _, other = await api.ask("GET", "/audit/verification", params={"head": "3:00"})
    assert not other["whole"]
    assert "made anew" in other["broken"]
    assert 403 == (await api.ask("GET", "/audit/verification", role="operator"))[0]


async def test_a_look_at_the_chain_that_takes_too_long_is_given_up(store: Pool) -> None:
    async with transaction(store) as tx:
        await actions.record(tx, "anna", "subject.correct", target="1", detail={})
    found = await audit.verify(store, within=0.0)
    assert (False, None) == (found.complete, found.broken)


async def test_the_last_events_of_a_source_are_found_wherever_they_are(store: Pool) -> None:
    long_ago = datetime.now(UTC) - timedelta(hours=1)
    async with transaction(store) as tx:
        old = UUID(int=first_id(long_ago).int + 7)
        await rows.event(tx, "applied", id=old, source="quiet", dedupe_key="q")
        for number in range(5):
            await rows.event(tx, "applied", dedupe_key=f"evt_{number}")
    wanted = EventFilter("quiet", among=3)
    assert [] == (await lookups.events(store, wanted, Page()))["items"]
    found = await lookups.recent(store, "quiet", heard=long_ago, limit=5)
    assert [str(old)] == [each["id"] for each in found["items"]]
    assert 2 == len((await lookups.recent(store, "shop", heard=None, limit=2))["items"])


async def test_rare_exchanges_are_looked_for_among_the_last_ones_only(store: Pool) -> None:
    async with transaction(store) as tx:
        subject = await rows.subject(tx)
        await rows.attempt(tx, subject, version=1, destination="rare")
        for _ in range(5):
            await rows.attempt(tx, subject, version=1)
    for among, found in ((3, 0), (10, 1)):
        wanted = AttemptFilter(destination="rare", among=among)
        assert found == len((await attempts.listed(store, wanted, Page()))["items"])
