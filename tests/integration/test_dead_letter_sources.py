"""The source of a dead letter: noted when it is buried, filtered by, found by an index."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID

import pytest

from service.domain.verdict import DeadLetter, Reason
from service.ops import dead_letters
from service.ops.dead_letters import Order, Verb
from service.store import dead_letters as store_letters
from service.store import migrate, pool, waiting
from service.store.dead_letters import Resolution, Selection
from service.store.ids import new_id
from service.store.pool import Connection, Pool, transaction
from tests import rows, servers

pytestmark = pytest.mark.postgres

DEAD = DeadLetter(Reason.UNMAPPED, "The status is not known.")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2, settings=pool.CALM) as opened:
        yield opened


async def letter(tx: Connection, source: str, **said: object) -> UUID:
    """The id of an event with a letter."""
    event_id = await rows.event(tx, source=source)
    await rows.letter(tx, kind="event", event_id=event_id, **said)
    return event_id


async def found(
    tx: Connection, source: str, *, closed: Resolution | None = None, reason: str | None = None
) -> set[UUID]:
    wanted = Selection(source=source, reason=reason)
    letters = await store_letters.letters(tx, wanted, before=None, limit=50, closed=closed)
    return {row["event_id"] for row in letters}


async def test_open_and_closed_letters_are_found_by_source(store: Pool) -> None:
    async with transaction(store) as tx:
        ours = {await letter(tx, "cdek"), await letter(tx, "cdek", reason="poison")}
        wms = await letter(tx, "wms")
        done = {"resolved_at": rows.AT, "resolution": "redriven"}
        redriven = await letter(tx, "cdek", **done)
        discarded = await letter(tx, "cdek", **{**done, "resolution": "discarded"})
        subject = await rows.subject(tx)
        await rows.sync(tx, subject, state="dead")
        await rows.letter(tx, kind="sync", subject_id=subject, destination="crm")
        assert ours == await found(tx, "cdek")
        assert 1 == len(await found(tx, "cdek", reason="poison"))
        assert {wms} == await found(tx, "wms")
        assert set() == await found(tx, "shop")
        assert {redriven} == await found(tx, "cdek", closed="redriven")
        assert {discarded} == await found(tx, "cdek", closed="discarded")
        assert set() == await found(tx, "wms", closed="redriven")


async def test_a_letter_outlives_its_event_and_keeps_the_source(store: Pool) -> None:
    async with transaction(store) as tx:
        event_id = await letter(tx, "cdek", resolved_at=rows.AT, resolution="discarded")
        await tx.execute("DELETE FROM events")
        assert {event_id} == await found(tx, "cdek", closed="discarded")


async def test_a_letter_of_an_unknown_event_is_written_without_a_source(store: Pool) -> None:
    stray = new_id()
    async with transaction(store) as tx:
        await store_letters.bury_events(tx, {stray: DEAD})
        assert [(stray, None)] == await sources(tx)


async def test_whoever_buries_notes_the_source(store: Pool) -> None:
    async with transaction(store) as tx:
        buried, late = await rows.event(tx, source="cdek"), await rows.event(tx, "waiting")
        await store_letters.bury_events(tx, {buried: DEAD})
        await tx.execute(
            "INSERT INTO waiting (event_id, lifecycle, type, value, deadline_at)"
            " VALUES ($1, 'order', 'tracking:cdek', '1', now())",
            late,
        )
        assert 1 == await waiting.expire(tx, {late: DEAD})
        assert {(buried, "cdek"), (late, "shop")} == set(await sources(tx))


@pytest.mark.parametrize(
    ("verb", "resolution"), [("redrive", "redriven"), ("discard", "discarded")]
)
async def test_an_order_by_source_takes_only_its_letters(
    store: Pool, verb: Verb, resolution: Resolution
) -> None:
    async with transaction(store) as tx:
        ours = {await letter(tx, "cdek"), await letter(tx, "cdek")}
        others = {await letter(tx, "wms"), await letter(tx, "shop")}
    order = Order(verb, Selection(source="cdek"), "anna", because="They were tests.")
    placed = await dead_letters.place(store, order, dry_run=False, mine=True)
    assert (2, 2) == (placed.body["matched"], placed.body["would_write"])
    assert placed.job is not None
    async with transaction(store) as tx:
        await dead_letters.STEPS[verb](tx, placed.job, 10)
        assert set() == await found(tx, "cdek")
        assert ours == await found(tx, "cdek", closed=resolution)
        assert others == await found(tx, "wms") | await found(tx, "shop")


async def test_pages_of_one_source_are_walked_in_its_own_index(store: Pool) -> None:
    async with transaction(store) as tx:
        await tx.execute(
            """
            INSERT INTO dead_letters (id, kind, event_id, source, reason, summary, resolved_at,
                                      resolution)
            SELECT gen_random_uuid(), 'event', gen_random_uuid(),
                   CASE WHEN n % 50 = 0 THEN 'wms' ELSE 'cdek' END, 'unmapped', '',
                   CASE WHEN n % 2 = 0 THEN now() END, CASE WHEN n % 2 = 0 THEN 'redriven' END
            FROM generate_series(1, 20000) AS n
            """
        )
        await tx.execute("ANALYZE dead_letters")
        for source in ("cdek", "wms", "nobody"):
            assert "dead_letters_source_open" in await plan(tx, source, None)
            assert "dead_letters_source_closed" in await plan(tx, source, "redriven")


async def plan(tx: Connection, source: str, closed: str | None) -> str:
    values = (None, None, None, source, None, None, None, None, None, 50, closed)
    lines = await tx.fetch(f"EXPLAIN {store_letters.SQL['letters']}", *values)
    text = "\n".join(row[0] for row in lines)
    assert "Seq Scan on dead_letters" not in text
    return text


async def test_a_migration_fills_what_was_buried_before(postgres: servers.Postgres) -> None:
    name = f"older_{new_id().hex[-12:]}"
    await asyncio.to_thread(postgres.execute, f"CREATE DATABASE {name}")
    dsn = postgres.database(name)
    await migrate.upgrade(dsn, to="0009")
    async with pool.opened(dsn, size=1) as older:
        stray = new_id()
        async with transaction(older) as tx:
            ours = await letter(tx, "cdek")
            done = await letter(
                tx, "wms", resolved_at=rows.AT + timedelta(days=1), resolution="redriven"
            )
            await rows.letter(tx, kind="event", event_id=stray)
        await migrate.upgrade(dsn)
        async with transaction(older) as tx:
            assert {(ours, "cdek"), (done, "wms"), (stray, None)} == set(await sources(tx))
    await asyncio.to_thread(postgres.execute, f"DROP DATABASE {name} WITH (FORCE)")


async def sources(tx: Connection) -> list[tuple[UUID, str | None]]:
    """Of every letter: its event, and the source that was noted."""
    found = await tx.fetch("SELECT event_id, source FROM dead_letters")
    return [(row["event_id"], row["source"]) for row in found]
