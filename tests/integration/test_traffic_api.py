"""Attempts, sources, destinations and replays over HTTP: exact bodies, exact refusals."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator

from service.intake.providers import registry
from service.intake.receive import Sender
from service.ops.sources import Configured
from service.settings import BearerRule, Destination, Secret, Source, SubjectRule
from service.store import pool
from service.store.pool import Pool, transaction
from tests import internals, rows

pytestmark = pytest.mark.postgres

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
SHOP = Source(
    name="shop",
    provider="generic",
    secrets=(Secret.plain("open"),),
    verify=BearerRule(),
    key="id",
    subject=SubjectRule(ref="order"),
    status="status",
    statuses={"PAID": "payment.paid"},
)
CONFIGURED = Configured(
    senders=lambda: {"shop": Sender(SHOP, registry.preset("generic").build(SHOP))},
    destinations=lambda: {"crm": Destination(name="crm", crm="callback")},
)


@dataclass
class Api:
    """A client of the API with an operator's token."""

    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, shape: str, **parameters: str) -> Any:
        async with self.session.get(
            f"{self.url}{path}", params=parameters, headers=internals.bearer()
        ) as answer:
            body = await answer.json()
            assert 200 == answer.status, body
            for item in body["items"]:
                conform(item, shape)
            return body

    async def ask(self, path: str, **parameters: str) -> tuple[int, str]:
        async with self.session.get(
            f"{self.url}{path}", params=parameters, headers=internals.bearer()
        ) as answer:
            return answer.status, (await answer.json(content_type=None))["detail"]

    async def post(
        self, body: Any, path: str = "/replays", *, role: str = "operator"
    ) -> tuple[int, Any]:
        async with self.session.post(
            f"{self.url}{path}", json=body, headers=internals.bearer(role=role)
        ) as answer:
            return answer.status, await answer.json(content_type=None)


def conform(body: Any, shape: str) -> None:
    schema = {"$ref": f"#/components/schemas/{shape}", "components": DESCRIPTION["components"]}
    Draft202012Validator(schema).validate(body)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with (
        internals.opened(database, configured=CONFIGURED) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Api(f"{url}/api/v1", session)


@pytest.fixture
async def exchanges(store: Pool) -> dict[str, UUID]:
    """Two orders, one of which was hard to tell; returns the events behind them."""
    async with transaction(store) as tx:
        first = await rows.event(tx, "applied")
        second = await rows.event(tx, "applied", dedupe_key="evt_2")
        other = await rows.event(tx, "applied", ref="a:b", dedupe_key="evt_3")
        one = await rows.subject(tx)
        two = await rows.subject(tx, ref="a:b", version=1)
        await rows.transition(tx, one, first, version=1)
        await rows.transition(tx, one, second, version=2)
        await rows.transition(tx, two, other, version=1)
        failed = {"class": "transient", "http_status": None, "detail": "It broke."}
        await rows.attempt(tx, one, version=1, at=rows.AT)
        await rows.attempt(tx, one, version=2, at=rows.AT + timedelta(hours=1), **failed)
        await rows.attempt(tx, one, version=2, destination="erp", at=rows.AT + timedelta(hours=2))
        await rows.attempt(tx, two, version=1, at=rows.AT + timedelta(hours=3))
    return {"first": first, "second": second, "other": other}


async def test_an_attempt_tells_what_was_done_and_how_it_ended(
    api: Api, exchanges: dict[str, UUID]
) -> None:
    (item,) = (await api.get("/attempts", "AttemptItem", **{"class": "error"}))["items"]
    assert {
        "id": item["id"],
        "at": (rows.AT + timedelta(hours=1)).isoformat(),
        "subject": "order/1001",
        "destination": "crm",
        "version": 2,
        "operation": "write",
        "success": False,
        "class": "transient",
        "http_status": None,
        "ms": 12,
        "detail": "It broke.",
    } == item


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, 4),
        ({"subject": "order/1001"}, 3),
        ({"subject": "order/a:b"}, 1),
        ({"subject": "order/none"}, 0),
        ({"destination": "erp"}, 1),
        ({"class": "ok"}, 3),
        ({"subject": "order/1001", "destination": "crm", "class": "ok"}, 1),
    ],
)
async def test_attempts_are_found_by_what_they_are_about(
    api: Api, exchanges: dict[str, UUID], said: dict[str, str], found: int
) -> None:
    assert found == len((await api.get("/attempts", "AttemptItem", **said))["items"])


async def test_attempts_are_found_by_event_and_from_its_version_on(
    api: Api, exchanges: dict[str, UUID]
) -> None:
    for name, versions in (("first", [2, 2, 1]), ("second", [2, 2]), ("other", [1])):
        body = await api.get("/attempts", "AttemptItem", event=str(exchanges[name]))
        assert versions == [item["version"] for item in body["items"]]
    both = {"event": str(exchanges["other"]), "subject": "order/1001"}
    assert [] == (await api.get("/attempts", "AttemptItem", **both))["items"]


async def test_attempts_are_paged_without_gaps(api: Api, exchanges: dict[str, UUID]) -> None:
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.get("/attempts", "AttemptItem", limit="3", **cursor)
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert 4 == len(set(seen)) == len(seen)
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    "said",
    [{"since": "yesterday"}, {"until": "1970-01-01T00:00:00Z"}, {"event": "1"}, {"class": "bad"}],
)
async def test_a_filter_that_is_not_understood_is_a_400(api: Api, said: dict[str, str]) -> None:
    status, detail = await api.ask("/attempts", **said)
    assert (400, True) == (status, f"parameter {next(iter(said))}" in detail)


async def test_attempts_are_bounded_by_time(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        subject = await rows.subject(tx)
        await rows.attempt(tx, subject, version=1)
        at = await tx.fetchval("SELECT at FROM attempts")
    exact, later = at.isoformat(), (at + timedelta(microseconds=1)).isoformat()
    for said, found in (({"since": exact}, 1), ({"since": later}, 0), ({"until": exact}, 0)):
        assert found == len((await api.get("/attempts", "AttemptItem", **said))["items"])


async def test_destinations_are_those_configured_and_those_still_owed(
    api: Api, store: Pool
) -> None:
    async with transaction(store) as tx:
        await rows.sync(tx, await rows.subject(tx), destination="old-crm")
    items = (await api.get("/destinations", "DestinationItem"))["items"]
    assert [("crm", "callback", 0), ("old-crm", None, 1)] == [
        (item["name"], item["crm"], item["owed"]) for item in items
    ]


async def test_operators_pause_and_resume_a_destination(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.sync(tx, await rows.subject(tx), destination="crm")
    because = {"reason": "They migrate tonight."}
    status, paused = await api.post(because, "/destinations/crm/pause")
    conform(paused, "DestinationPaused")
    assert (200, "paused", "anna") == (status, paused["state"], paused["paused"]["by"])
    (item,) = (await api.get("/destinations", "DestinationItem"))["items"]
    assert ("paused", because["reason"]) == (item["state"], item["paused"]["reason"])
    status, resumed = await api.post(because, "/destinations/crm/resume")
    conform(resumed, "DestinationResumed")
    assert (200, "running", None) == (status, resumed["state"], resumed["paused"])
    assert [403, 404, 400] == [
        (await api.post(because, "/destinations/crm/pause", role="viewer"))[0],
        (await api.post(because, "/destinations/crmm/pause"))[0],
        (await api.post({}, "/destinations/crm/resume"))[0],
    ]


async def test_sources_and_refusals_have_their_shape(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.request(tx)
        await rows.tally(tx, refused=2)
        await rows.refusal(tx)
    (item,) = (await api.get("/sources", "SourceItem"))["items"]
    assert {"accepted": 1, "refused": 2, "path": "/webhooks/shop", "url": None} == {
        name: item[name] for name in ("accepted", "refused", "path", "url")
    }
    (refusal,) = (await api.get("/sources/shop/refusals", "Refusal"))["items"]
    assert ("stale_clock", -3600.0) == (refusal["cause"], refusal["skew_seconds"])
    status, detail = await api.ask("/sources/shopp/refusals")
    assert (404, True) == (status, "configured are: shop" in detail)


async def test_a_replay_is_tried_then_put_in_line(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        body = b'{"id":"evt_1","order":"1001","status":"PAID"}'
        request_id = await rows.request(tx, body=body)
        unmapped = {"lane": None, "status": None, "fate": "unmapped", "occurred_at": None}
        event_id = await rows.event(tx, "dead", request_id=request_id, **unmapped)
    status, tried = await api.post({"source": "shop", "dry_run": True})
    conform(tried, "ReplayPlaced")
    assert (200, None, 1) == (status, tried["job"], tried["matched"])
    (example,) = tried["examples"]
    assert (str(event_id), "unmapped", "fold", "order/1001", "payment", "paid") == tuple(
        example[name] for name in ("event_id", "from", "to", "subject", "lane", "status")
    )
    assert (403, 404) == (
        (await api.post({"source": "shop"}, role="viewer"))[0],
        (await api.post({"source": "shopp"}))[0],
    )
    status, placed = await api.post({"event_ids": [str(event_id)]})
    conform(placed, "ReplayPlaced")
    assert (202, 1) == (status, placed["matched"])
    async with transaction(store) as tx:
        (job,) = await tx.fetch("SELECT kind, actor, state FROM jobs")
        (action,) = await tx.fetch("SELECT actor, action FROM operator_actions")
    assert [("replay", "anna", "queued"), ("anna", "replay")] == [tuple(job), tuple(action)]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({}, "either"),
        ({"source": "shop", "event_ids": ["0198c0de-0000-7000-8000-000000000000"]}, "either"),
        ({"source": "shop", "outcomes": ["pending"]}, "outcomes"),
        ({"source": "shop", "since": "1999-01-01T00:00:00Z"}, "2000"),
        ({"source": "shop", "rate": 0}, "rate"),
        ({"source": "shop", "sauce": 1}, "sauce"),
    ],
)
async def test_a_replay_that_is_not_understood_is_a_400(api: Api, body: Any, word: str) -> None:
    status, problem = await api.post(body)
    assert (400, True) == (status, word in problem["detail"])
