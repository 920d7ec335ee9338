"""What the first page shows is counted from rows, and kept while somebody looks."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from aiohttp import ClientSession
from jsonschema import Draft202012Validator

from service.domain.errors import StoreUnavailable
from service.ops import now
from service.ops.kept import Kept
from service.ops.sources import Configured
from service.ops.traffic import Traffic
from service.settings import Destination, Secret
from service.store import pool
from service.store.pool import transaction
from service.supervisor import Supervisor
from tests import internals, lookout, rows
from tests.household import COMPONENTS

pytestmark = pytest.mark.postgres

CRM = Destination(
    name="crm", crm="callback", url="http://127.0.0.1:1/", secret=Secret.plain("s" * 32)
)
KNOWN = Configured(destinations=lambda: {"crm": CRM})


def ago(**said: float) -> datetime:
    return datetime.now(UTC) - timedelta(**said)


async def test_what_came_and_went_is_counted_by_source_and_destination(database: str) -> None:
    async with pool.opened(database, size=2) as db:
        async with transaction(db) as tx:
            subject = await rows.subject(tx)
            accepted = [
                await rows.event(tx, "applied", dedupe_key=str(n), received_at=ago(minutes=1))
                for n in range(3)
            ]
            await rows.transition(tx, subject, *accepted, version=3)
            await rows.attempt(tx, subject, version=3)
            await rows.attempt(tx, subject, version=3, operation="read")
            await rows.attempt(tx, subject, version=3, **{"class": "transient"})
        look = await now.read(db, KNOWN)
        assert (3, 1, 1) == (sum(look.came), sum(look.went), sum(look.failed))
        assert look.lag.median_seconds is not None
        assert 0 <= look.lag.median_seconds < 30
        (crm,) = look.destinations
        assert ("crm", "running", 1) == (crm.name, crm.state, sum(crm.hour))


async def test_the_next_look_counts_only_what_is_new(database: str) -> None:
    traffic = Traffic()
    async with pool.opened(database, size=2) as db:
        for n in range(3):
            async with transaction(db) as tx:
                await rows.event(tx, "applied", dedupe_key=str(n), received_at=ago(seconds=1))
            look = await now.read(db, KNOWN, traffic)
            assert n + 1 == sum(look.came)


async def test_what_is_owed_held_dead_and_refused_is_told(database: str) -> None:
    async with pool.opened(database, size=2) as db:
        async with transaction(db) as tx:
            for ref, said in (
                ("1", {"state": "pending", "due_at": ago(), "updated_at": ago(hours=1)}),
                ("2", {"state": "no_record", "due_at": ago(), "updated_at": ago(hours=9)}),
                ("3", {"state": "held", "held_for": "person"}),
            ):
                await rows.sync(tx, await rows.subject(tx, ref=ref), synced_version=1, **said)
            subject = await rows.subject(tx, ref="4")
            await rows.sync(tx, subject, synced_version=1, state="dead")
            await rows.letter(
                tx, kind="sync", subject_id=subject, destination="crm", reason="refused"
            )
            await rows.event(tx, "pending", dedupe_key="late")
            await rows.refusal(tx, at=ago(minutes=1), source="unknown", cause="unknown_source")
            await rows.refusal(tx, at=ago(hours=1), source="unknown", cause="unknown_source")
        look = await now.read(db, KNOWN)
        (crm,) = look.destinations
        assert (2, 1, 1, 1) == (crm.owed, crm.no_record, crm.held, crm.dead)
        assert crm.oldest_owed_at is not None
        assert 3500 < (look.at - crm.oldest_owed_at).total_seconds() < 3700
        assert [("sync", "crm", "refused", 1)] == [
            (one.kind, one.destination, one.reason, one.letters) for one in look.dead
        ]
        assert 1 == look.lag.waiting
        assert [("unknown_source", 1)] == [(one.cause, one.requests) for one in look.strangers]


async def test_a_value_is_read_while_somebody_looks_and_not_before() -> None:
    read: list[int] = []

    async def count() -> int:
        read.append(1)
        return len(read)

    kept = Kept("figures", count)
    tasks = Supervisor(restarted=lambda _: None)
    tasks.start("figures", kept.run)
    await asyncio.sleep(0.05)
    assert ([], True) == (read, kept.stale)
    assert kept.look() is None
    async with asyncio.timeout(5):
        while kept.value is None:
            await asyncio.sleep(0.01)
    assert (1, 1, False) == (kept.look(), kept.number, kept.stale)
    await tasks.stop(2)


async def test_a_reading_that_fails_keeps_the_last_value_and_says_why() -> None:
    answers: list[int | Exception] = [7, StoreUnavailable("away"), StoreUnavailable("away"), 7, 8]

    async def read() -> int:
        match answers.pop(0):
            case int(value):
                return value
            case error:
                raise error

    kept = Kept("figures", read)
    seen = []
    for _ in range(5):
        await kept.refresh()
        seen.append((kept.value, kept.problem, kept.number))
    assert [(7, None, 1), (7, "away", 2), (7, "away", 2), (7, None, 3), (8, None, 4)] == seen


async def test_the_page_fills_in_by_itself_and_never_counts_while_one_waits(database: str) -> None:
    async with lookout.opened(database, configured=KNOWN) as site, site.viewer() as session:
        async with session.get("/console/") as answer:
            first = await answer.text()
        assert "Counting…" in first
        async with asyncio.timeout(30):
            while "balanced" not in first:
                await asyncio.sleep(0.1)
                async with session.get("/console/", headers={"HX-Request": "true"}) as answer:
                    first = await answer.text()
        assert "<html" not in first
        assert "0</b> accepted" in first


async def test_what_needs_attention_is_sent_once(database: str) -> None:
    async with lookout.opened(database, configured=KNOWN) as site, site.viewer() as session:
        async with transaction(site.db) as tx:
            await rows.event(tx, "applied", "dead")
        page = ""
        async with asyncio.timeout(30):
            while "is out of place" not in page:
                await asyncio.sleep(0.1)
                async with session.get("/console/now/attention") as answer:
                    page = await answer.text()
        digest = page.partition("seen=")[2][:12]
        async with session.get(f"/console/now/attention?seen={digest}") as answer:
            assert 204 == answer.status
        async with session.get("/console/now/attention?seen=another") as answer:
            assert 200 == answer.status


async def test_the_api_tells_what_the_page_shows(database: str) -> None:
    async with lookout.opened(database, configured=KNOWN, counting=False) as site:
        async with transaction(site.db) as tx:
            await rows.event(tx, "dead", received_at=ago(minutes=1))
            await rows.refusal(tx, at=ago(minutes=1), source="unknown", cause="unknown_source")
        async with (
            ClientSession(site.url, headers=internals.bearer()) as session,
            session.get("/api/v1/now") as answer,
        ):
            body = await answer.json()
    assert 200 == answer.status
    shape = {"$ref": "#/components/schemas/Now", "components": COMPONENTS}
    Draft202012Validator(shape).validate(body)
    assert [
        "1 dead letter of events: a word that the source does not map",
        "1 request came to an address that no source has, in the last ten minutes.",
    ] == [one["sentence"] for one in body["attention"]]
