"""Thin events: the sender is asked, its answer becomes a request, failures end in words."""

import gzip
import json
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from service import outbound
from service.domain.events import Event, Fate, Lookup, Statement
from service.intake.preset import Declared, Manners
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.receive import Sender
from service.intake.verification.tokens import Token
from service.ops import ledger
from service.ops.inquiries import Runner
from service.settings import Secret, Source
from service.store import outbox, partitions, pool
from service.store.acceptance import Arrival, accept
from service.store.ids import new_id
from service.store.pool import Pool, session, transaction
from service.worker import lookups
from service.worker.fold import Fold
from service.worker.rules import Rules
from tests import make
from tests.keyserver import Server, breaks, drips, floods, says, serving

pytestmark = pytest.mark.postgres

PAID = json.dumps({"id": "tr_1", "status": "paid", "order": "1001"}).encode()


@dataclass(frozen=True)
class Reader:
    """Payments by their state; what comes by POST only points at one."""

    def read(self, request: RawRequest) -> tuple[Statement, ...]:
        try:
            document = mapping.read(request.body)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        assert isinstance(document, dict)
        if document.get("thin"):
            return (make.statement(fate=Fate.LOOK_UP, lookup=Lookup("payment", "tr_1")),)
        key = f"{document.get('id')}:{document.get('status')}"
        return (make.statement(dedupe_key=key, ref=str(document.get("order"))),)


@dataclass
class Bench:
    """One source whose API is a server of the test."""

    db: Pool
    server: Server
    source: Source
    runner: Runner
    inquiry: Inquiry | None = field(
        default_factory=lambda: Inquiry("/v2/payments/tr_1", "embed=refunds")
    )

    def senders(self) -> dict[str, Sender]:
        guard = Token(algorithm="HS256").guard(self.source)
        made = Declared(guard, Reader(), Manners(inquire=lambda _lookup: self.inquiry))
        return {"shop": Sender(self.source, made)}

    async def thin(self) -> UUID:
        """Accept a thin event and fold it, so that its look-up is owed."""
        event = make.event(
            id=new_id(), fate=Fate.LOOK_UP, lookup=Lookup("payment", "tr_1"), ref=None
        )
        arrival = Arrival(
            new_id(), "shop", event.received_at, "", "POST", "/", "", {}, b"{}", [event]
        )
        await accept(self.db, [arrival], process=new_id(), published=False, lease=outbox.LEASE)
        await self.owe(event)
        return event.id

    async def owe(self, event: Event) -> None:
        async with session(self.db) as connection:
            await connection.execute(
                "INSERT INTO outbox (event_id, due_at) VALUES ($1, now()) ON CONFLICT DO NOTHING",
                event.id,
            )
        fold = Fold(self.db, Rules(), hand_on=lambda _: None)
        await fold.fold([event.id])

    async def value(self, query: str, *values: Any) -> Any:
        async with session(self.db) as connection:
            return await connection.fetchval(query, *values)

    async def place(self, event_id: UUID) -> tuple[str | None, str | None]:
        """The outcome of an event, or why it is dead, each with its sentence."""
        async with session(self.db) as connection:
            row = await connection.fetchrow(
                """
                SELECT outcome, reason FROM event_outcomes WHERE event_id = $1
                UNION ALL
                SELECT reason, summary FROM dead_letters
                WHERE event_id = $1 AND resolved_at IS NULL
                """,
                event_id,
            )
        return (row[0], row[1]) if row else (None, None)

    async def pass_time(self, length: timedelta) -> None:
        async with session(self.db) as connection:
            await connection.execute(
                "UPDATE owed_lookups SET due_at = due_at - $1::interval,"
                " owed_since = owed_since - $1::interval",
                length,
            )


@pytest.fixture
async def bench(database: str) -> AsyncIterator[Bench]:
    async with (
        pool.opened(database, size=4) as db,
        serving() as server,
        outbound.opened(guarded=False) as calls,
    ):
        await partitions.ensure(db)
        source = Source(
            name="shop",
            provider="generic",
            secrets=(Secret.plain("s" * 32),),
            token=Secret.plain("api-token"),
            api=f"{server.url}/base/",
        )
        box: list[Bench] = []
        runner = Runner(
            db,
            calls,
            lambda: box[0].senders(),  # noqa: PLW0108  # the box is filled below
            clock=lambda: datetime.now(UTC),
            process=new_id(),
        )
        box.append(Bench(db, server, source, runner))
        yield box[0]


async def test_the_object_is_asked_for_and_becomes_an_event_of_its_own(bench: Bench) -> None:
    bench.server.behaviour = says(PAID, Content_Type="application/json")
    thin = await bench.thin()
    assert ("waiting", "It only points at the payment tr_1, which is looked up at the sender.") == (
        await bench.place(thin)
    )
    assert 1 == await bench.runner.step()
    assert "/base/v2/payments/tr_1?embed=refunds" == bench.server.asked[0].raw_path
    assert "Bearer api-token" == bench.server.headers[0]["authorization"]
    assert ("ignored", "looked up: the payment tr_1") == await bench.place(thin)
    row = await bench.value(
        "SELECT (method, path, query, body, headers) FROM requests WHERE method = 'GET'"
    )
    assert ("GET", "/v2/payments/tr_1", "embed=refunds", PAID) == tuple(row)[:4]
    assert "tr_1:paid" == await bench.value("SELECT dedupe_key FROM events WHERE id <> $1", thin)
    assert 1 == await bench.value("SELECT count(*) FROM outbox")
    assert 0 == await bench.value("SELECT count(*) FROM owed_lookups")
    assert 0 == await bench.runner.step()
    assert (await ledger.read(bench.db))["balanced"]


async def test_the_same_state_seen_twice_is_one_event(bench: Bench) -> None:
    bench.server.behaviour = says(PAID)
    for _ in range(2):
        thin = await bench.thin()
        await bench.runner.step()
        assert "ignored" == (await bench.place(thin))[0]
    assert 1 == await bench.value("SELECT count(*) FROM events WHERE fate = 'fold'")


@pytest.mark.parametrize(
    ("behaviour", "least"),
    [
        (says(b"", status=500), 0),
        (says(b"", status=503, Retry_After="120"), 119),
        (says(b"", status=429, Retry_After="60"), 59),
        (says(b"", status=404), 0),
        (says(b"<html>maintenance</html>"), 0),
        (says(b""), 0),
        (floods, 0),
        (breaks, 0),
        (says(PAID, Content_Encoding="gzip"), 0),
    ],
    ids=["500", "503", "429", "404 at first", "html", "empty", "huge", "broken", "compressed"],
)
async def test_what_may_pass_is_tried_again(bench: Bench, behaviour: Any, least: int) -> None:
    bench.server.behaviour = behaviour
    thin = await bench.thin()
    await bench.runner.step()
    assert "waiting" == (await bench.place(thin))[0]
    wait = await bench.value("SELECT extract(epoch FROM due_at - now()) FROM owed_lookups")
    assert least <= wait <= 3600
    await bench.pass_time(timedelta(hours=1))
    bench.server.behaviour = says(PAID)
    await bench.runner.step()
    assert "ignored" == (await bench.place(thin))[0]


async def test_a_slow_api_is_given_up_and_tried_again(bench: Bench) -> None:
    bench.server.behaviour = drips
    thin = await bench.thin()
    async with outbound.opened(guarded=False) as calls:
        runner = Runner(
            bench.db,
            calls,
            bench.senders,
            clock=lambda: datetime.now(UTC),
            process=new_id(),
            within=timedelta(seconds=0.3),
        )
        await runner.step()
    assert "waiting" == (await bench.place(thin))[0]
    assert 1 == await bench.value("SELECT attempts FROM owed_lookups")


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (says(b"", status=401), "answered 401"),
        (says(b"", status=403), "answered 403"),
        (says(b"", status=400), "answered 400"),
        (says(b"", status=302, Location="http://169.254.169.254/"), "answered 302"),
    ],
)
async def test_what_will_not_pass_is_a_dead_letter_in_words(
    bench: Bench, behaviour: Any, words: str
) -> None:
    bench.server.behaviour = behaviour
    thin = await bench.thin()
    await bench.runner.step()
    reason, summary = await bench.place(thin)
    assert "lookup_failed" == reason
    assert summary is not None
    assert "Looking up the payment tr_1 at shop failed" in summary
    assert words in summary
    assert 1 == len(bench.server.asked)
    assert 0 == await bench.value("SELECT count(*) FROM owed_lookups")


async def test_an_object_that_stays_away_is_a_dead_letter(bench: Bench) -> None:
    bench.server.behaviour = says(b"", status=404)
    thin = await bench.thin()
    for _ in range(lookups.NOT_YET + 1):
        await bench.runner.step()
        await bench.pass_time(timedelta(hours=1))
    assert "lookup_failed" == (await bench.place(thin))[0]


async def test_an_api_that_fails_for_a_week_is_a_dead_letter(bench: Bench) -> None:
    bench.server.behaviour = says(b"", status=500)
    thin = await bench.thin()
    await bench.pass_time(timedelta(days=7))
    await bench.runner.step()
    reason, summary = await bench.place(thin)
    assert "lookup_failed" == reason
    assert summary is not None
    assert "failing for 7 d" in summary


@pytest.mark.parametrize("lack", ["api", "token", "inquiry", "source"])
async def test_a_source_that_cannot_ask_is_a_dead_letter(bench: Bench, lack: str) -> None:
    match lack:
        case "api":
            bench.source = bench.source.model_copy(update={"api": ""})
        case "token":
            bench.source = bench.source.model_copy(update={"token": None})
        case "inquiry":
            bench.inquiry = None
        case _:
            pass
    thin = await bench.thin()
    if lack == "source":
        await bench.value("UPDATE owed_lookups SET source = 'gone' RETURNING 1")
    await bench.runner.step()
    assert "lookup_failed" == (await bench.place(thin))[0]
    assert [] == bench.server.asked


async def test_an_api_of_the_configuration_may_be_on_our_own_network(bench: Bench) -> None:
    bench.server.behaviour = says(PAID)
    address = bench.server.url.replace("127.0.0.1", "localhost")
    bench.source = bench.source.model_copy(update={"api": address})
    thin = await bench.thin()
    await bench.runner.step()
    assert "ignored" == (await bench.place(thin))[0]
    assert 1 == len(bench.server.asked)


async def test_what_the_sender_says_leads_to_no_other_host(bench: Bench) -> None:
    bench.server.behaviour = says(b"", status=302, Location=f"{bench.server.url}/elsewhere")
    bench.inquiry = Inquiry("//169.254.169.254/@127.0.0.1:1/")
    thin = await bench.thin()
    await bench.runner.step()
    assert "lookup_failed" == (await bench.place(thin))[0]
    assert ["/base/169.254.169.254/@127.0.0.1:1/"] == [each.raw_path for each in bench.server.asked]


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "done"), (503, "retry"), (401, "dead")], ids=str
)
async def test_every_look_up_is_counted_by_how_it_ended(
    bench: Bench, status: int, outcome: str
) -> None:
    def told() -> float:
        asked = {"source": "shop", "outcome": outcome}
        return REGISTRY.get_sample_value("orderhook_lookups_total", asked) or 0.0

    before = told()
    bench.server.behaviour = says(PAID, status=status)
    await bench.thin()
    await bench.runner.step()
    assert before + 1 == told()


async def test_a_dead_look_up_that_is_redriven_starts_anew(bench: Bench) -> None:
    bench.server.behaviour = says(b"", status=401)
    thin = await bench.thin()
    await bench.runner.step()
    bench.server.behaviour = says(PAID)
    async with transaction(bench.db) as tx:
        await tx.execute("UPDATE dead_letters SET resolved_at = now(), resolution = 'redriven'")
    await bench.owe(make.event(id=thin, fate=Fate.LOOK_UP, lookup=Lookup("payment", "tr_1")))
    assert 0 == await bench.value("SELECT attempts FROM owed_lookups")
    await bench.runner.step()
    assert "ignored" == (await bench.place(thin))[0]


async def test_a_look_up_in_hand_is_nobody_elses(bench: Bench) -> None:
    await bench.thin()
    bench.server.behaviour = says(PAID)
    async with transaction(bench.db) as tx:
        await tx.execute("UPDATE owed_lookups SET due_at = now() + interval '30 s'")
    assert 0 == await bench.runner.step()


async def test_an_event_that_went_another_way_keeps_its_place(bench: Bench) -> None:
    thin = await bench.thin()
    async with session(bench.db) as connection:
        await connection.execute(
            "UPDATE event_outcomes SET outcome = 'discarded', reason = 'by hand'"
        )
    for behaviour in (says(b"", status=401), says(PAID)):
        bench.server.behaviour = behaviour
        await bench.runner.step()
        assert ("discarded", "by hand") == await bench.place(thin)


async def test_an_event_read_again_that_waits_for_a_name_goes_on_waiting(bench: Bench) -> None:
    for behaviour in (says(b"", status=401), says(PAID)):
        bench.server.behaviour = behaviour
        thin = await bench.thin()
        await bench.value("UPDATE events SET fate = 'fold' WHERE id = $1 RETURNING 1", thin)
        await bench.runner.step()
        assert "waiting" == (await bench.place(thin))[0]
    assert 0 == await bench.value("SELECT count(*) FROM owed_lookups")


async def test_an_answer_that_points_elsewhere_is_not_followed(bench: Bench) -> None:
    bench.server.behaviour = says(b'{"thin": true}')
    thin = await bench.thin()
    await bench.runner.step()
    assert "ignored" == (await bench.place(thin))[0]
    fate = await bench.value("SELECT fate FROM events WHERE id <> $1", thin)
    assert "ignored" == fate
    assert 0 == await bench.value("SELECT count(*) FROM owed_lookups")


@pytest.mark.parametrize(
    ("authorization", "shown"),
    [
        ("Basic {token64}", f"Basic {b64encode(b'api-token').decode()}"),
        ("Zoho-oauthtoken {token}", "Zoho-oauthtoken api-token"),
        ("", None),
    ],
)
async def test_the_token_is_shown_as_the_api_wants_it(
    bench: Bench, authorization: Any, shown: str | None
) -> None:
    assert bench.inquiry is not None
    bench.inquiry = replace(bench.inquiry, authorization=authorization, headers={"X-Version": "2"})
    bench.server.behaviour = says(PAID)
    await bench.thin()
    await bench.runner.step()
    assert shown == bench.server.headers[0].get("authorization")
    assert "2" == bench.server.headers[0]["x-version"]


async def test_a_token_in_the_path_is_sent_and_not_stored(bench: Bench) -> None:
    bench.inquiry = Inquiry("/rest/{token}/item.get", "id=7", authorization="")
    bench.server.behaviour = says(PAID)
    await bench.thin()
    await bench.runner.step()
    (asked,) = bench.server.asked
    assert "/base/rest/api-token/item.get?id=7" == asked.path_qs
    stored = await bench.value("SELECT path FROM requests WHERE method = 'GET'")
    assert "/rest/{token}/item.get" == stored


@pytest.mark.parametrize(
    ("body", "outcome"),
    [(gzip.compress(PAID), "ignored"), (gzip.compress(PAID + b" " * 10**7), "waiting")],
    ids=["small", "bomb"],
)
async def test_a_packed_answer_is_unpacked_within_bounds(
    bench: Bench, body: bytes, outcome: str
) -> None:
    bench.inquiry = Inquiry("/v2/payments/tr_1", headers={"Accept-Encoding": "gzip"})
    bench.server.behaviour = says(body, Content_Encoding="gzip")
    thin = await bench.thin()
    await bench.runner.step()
    assert outcome == (await bench.place(thin))[0]
