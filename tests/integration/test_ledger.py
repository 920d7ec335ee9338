"""The ledger counts rows as they are, and says by id what is out of place."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service.ops import ledger
from service.store import ledger as store_ledger
from service.store import pool, spools
from service.store.ids import new_id
from service.store.pool import Connection, Pool, transaction
from tests import rows

pytestmark = pytest.mark.postgres

LONG_AGO = spools.SILENT + timedelta(seconds=1)
NOTHING = dict.fromkeys(("accepted", *ledger.EVENT_BUCKETS), 0)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


def _whys(said: dict[str, Any]) -> list[str]:
    return [item["why"] for item in said["misplaced"]]


async def test_an_empty_installation_is_balanced(store: Pool) -> None:
    said = await ledger.read(store)
    assert {
        "at": said["at"],
        "balanced": True,
        "incomplete": False,
        "totals": NOTHING,
        "sources": {},
        "destinations": {},
        "requests": {},
        "spools": [],
        "misplaced": [],
    } == said


async def test_each_bucket_is_counted_from_its_own_rows(store: Pool) -> None:
    async with transaction(store) as tx:
        for count, bucket in enumerate(ledger.EVENT_BUCKETS, start=1):
            for _ in range(count):
                await rows.event(tx, bucket)
        await rows.event(tx, "applied", source="wms")
    said = await ledger.read(store)
    shop = {bucket: count for count, bucket in enumerate(ledger.EVENT_BUCKETS, start=1)}
    assert {"accepted": 36, **shop} == said["sources"]["shop"]
    assert {**NOTHING, "accepted": 1, "applied": 1} == said["sources"]["wms"]
    assert {"accepted": 37, **shop, "applied": 2} == said["totals"]
    assert said["balanced"]


async def test_requests_that_left_no_row_are_counted_from_the_tallies(store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.request(tx)
        await rows.request(tx)
        await rows.tally(tx, duplicates=3, refused=1)
        await rows.tally(tx, duplicates=1, unavailable=2)
        await rows.tally(tx, source="unknown", refused=7)
    assert {
        "shop": {"accepted": 2, "duplicate": 4, "refused": 1, "unavailable": 2},
        "unknown": {"accepted": 0, "duplicate": 0, "refused": 7, "unavailable": 0},
    } == (await ledger.read(store))["requests"]


async def test_an_event_in_no_bucket_is_named(store: Pool) -> None:
    async with transaction(store) as tx:
        lost = await rows.event(tx)
    said = await ledger.read(store)
    assert not said["balanced"]
    why = "It stands in no bucket; exactly one is lawful."
    assert [{"kind": "event", "id": str(lost), "why": why}] == said["misplaced"]


async def test_an_event_in_two_buckets_is_named_with_both(store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.event(tx, "applied", "pending")
        await rows.event(tx, "ignored", "dead")
    said = await ledger.read(store)
    assert not said["balanced"]
    assert [
        "It has the outcome applied and an outbox entry; exactly one is lawful.",
        "It has the outcome ignored and an open dead letter; exactly one is lawful.",
    ] == _whys(said)


async def test_one_lost_and_one_doubled_event_do_not_cancel_out(store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.event(tx)
        await rows.event(tx, "applied", "pending")
    said = await ledger.read(store)
    assert said["totals"]["accepted"] == sum(said["totals"][name] for name in ledger.EVENT_BUCKETS)
    assert not said["balanced"]
    assert 2 == len(said["misplaced"])


async def test_rows_that_point_to_no_event_are_named(store: Pool) -> None:
    async with transaction(store) as tx:
        for place in ("applied", "dead", "pending"):
            await rows.put(tx, new_id(), place)
    said = await ledger.read(store)
    assert not said["balanced"]
    assert ["dead_letter", "outbox", "outcome"] == [item["kind"] for item in said["misplaced"]]


async def test_a_resolved_dead_letter_is_no_bucket(store: Pool) -> None:
    async with transaction(store) as tx:
        event_id = await rows.event(tx, "applied")
        await rows.letter(tx, kind="event", event_id=event_id, resolved_at=rows.AT)
        await rows.letter(tx, kind="event", event_id=new_id(), resolved_at=rows.AT)
    assert (await ledger.read(store))["balanced"]


async def test_syncs_are_counted_by_their_state(store: Pool) -> None:
    async with transaction(store) as tx:
        states: tuple[dict[str, Any], ...] = (
            {},
            {"state": "pending", "synced_version": 2, "due_at": rows.AT},
            {"state": "no_record", "synced_version": 0, "due_at": rows.AT},
            {"state": "held", "synced_version": 1},
            {"state": "dead", "synced_version": 1},
        )
        for number, state in enumerate(states):
            row = await rows.subject(tx, ref=str(number))
            await rows.sync(tx, row, **state)
            if state.get("state") == "dead":
                await rows.letter(tx, kind="sync", subject_id=row, destination="crm")
    said = await ledger.read(store)
    one_each = {"synced": 1, "pending": 1, "no_record": 1, "held": 1, "dead": 1}
    assert {"crm": {"owed": 5, **one_each}} == said["destinations"]
    assert said["balanced"]


CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "It is synced, but version 2 is there and version 3 is owed.": {"synced_version": 2},
    "It is pending, but version 3 is there and version 3 is owed.": {
        "state": "pending",
        "due_at": rows.AT,
    },
    "Version 4 is said to be there, but only version 3 was ever owed.": {
        "state": "held",
        "synced_version": 4,
    },
    "Version 4 is owed, but the subject is at version 3.": {
        "state": "held",
        "desired_version": 4,
    },
    "It is dead, and no dead letter is open for it.": {"state": "dead", "synced_version": 2},
    "It is pending, but has no due time: nothing would ever try it again.": {
        "state": "pending",
        "synced_version": 2,
    },
}


@pytest.mark.parametrize(("why", "state"), CONTRADICTIONS.items())
async def test_a_sync_that_contradicts_itself_is_named(
    store: Pool, why: str, state: dict[str, Any]
) -> None:
    async with transaction(store) as tx:
        await rows.sync(tx, await rows.subject(tx), **state)
    said = await ledger.read(store)
    assert not said["balanced"]
    assert [{"kind": "sync", "id": "crm:order/1001", "why": why}] == said["misplaced"]


async def test_a_dead_letter_and_its_sync_must_agree(store: Pool) -> None:
    async with transaction(store) as tx:
        row = await rows.subject(tx)
        await rows.sync(tx, row)
        await rows.letter(tx, kind="sync", subject_id=row, destination="crm")
        await rows.letter(tx, kind="sync", subject_id=row, destination="gone")
        await rows.sync(tx, row + 1)
    assert [
        "It is synced, and a dead letter is open for it.",
        "The sync belongs to a subject that does not exist.",
        "A dead letter is open for a sync that does not exist.",
    ] == _whys(await ledger.read(store))


async def test_only_so_many_rows_are_named(store: Pool) -> None:
    async with transaction(store) as tx:
        for _ in range(130):
            await rows.event(tx)
    said = await ledger.read(store)
    assert not said["balanced"]
    assert 100 == len(said["misplaced"])


async def test_rows_that_the_planner_has_not_heard_of_are_walked_once(store: Pool) -> None:
    async with transaction(store) as tx:
        known = [await rows.event(tx, "applied") for _ in range(300)]
        await tx.execute("ANALYZE events, event_outcomes")
        fresh = [await rows.event(tx, "applied") for _ in range(300)]
        span = known[-1], fresh[-1]
        looped = await _plan(tx, span)
        await store_ledger.bound(tx)
        walked = await _plan(tx, span)
    assert "Nested Loop" in looped, "the planner is not misled any more"
    assert "Nested Loop" not in walked


async def _plan(tx: Connection, span: tuple[UUID, UUID]) -> str:
    lines = await tx.fetch(f"EXPLAIN {store_ledger.SQL['sources']}", *span)
    return "\n".join(row[0] for row in lines)


async def test_the_ledger_is_one_moment_while_the_road_moves_on(store: Pool) -> None:
    """A mover takes events from pending to applied all the time; no read may see one twice."""
    async with transaction(store) as tx:
        ids = [await rows.event(tx, "pending") for _ in range(200)]

    async def move() -> None:
        for event_id in ids:
            async with transaction(store) as tx:
                await tx.execute("DELETE FROM outbox WHERE event_id = $1", event_id)
                await rows.put(tx, event_id, "applied")

    moving = asyncio.create_task(move())
    reads = 0
    while not moving.done():
        said = await ledger.read(store)
        assert said["balanced"], said["misplaced"]
        reads += 1
    await moving
    assert reads > 0
    assert {**NOTHING, "accepted": 200, "applied": 200} == (await ledger.read(store))["totals"]


def _report(entries: int, *, damaged: int = 0) -> spools.Report:
    oldest = rows.AT if entries else None
    return spools.Report(new_id(), "gateway-1", entries, entries * 100, damaged, oldest)


async def test_what_lies_in_a_spool_makes_it_incomplete_until_it_is_drained(store: Pool) -> None:
    report = _report(3, damaged=1)
    await spools.report(store, report)
    said = await ledger.read(store)
    [line] = said["spools"]
    assert {
        "id": str(report.id),
        "gateway": "gateway-1",
        "state": "draining",
        "requests": 3,
        "bytes": 300,
        "damaged": 1,
        "oldest_at": rows.AT,
        "reported_at": line["reported_at"],
    } == line
    assert (False, True, []) == (said["balanced"], said["incomplete"], said["misplaced"])
    await spools.report(store, replace(report, entries=0, size=0, damaged=0, oldest_at=None))
    said = await ledger.read(store)
    assert ["empty"] == [line["state"] for line in said["spools"]]
    assert (True, False) == (said["balanced"], said["incomplete"])


async def test_a_gateway_that_ends_with_an_empty_spool_leaves_no_line(store: Pool) -> None:
    report = _report(0)
    await spools.report(store, report)
    await spools.leave(store, report.id)
    assert [] == (await ledger.read(store))["spools"]


async def test_a_gateway_that_fell_silent_may_hold_what_nobody_knows(store: Pool) -> None:
    await spools.report(store, _report(0))
    async with transaction(store) as tx:
        await tx.execute("UPDATE spools SET reported_at = reported_at - $1::interval", LONG_AGO)
    said = await ledger.read(store)
    assert ["silent"] == [line["state"] for line in said["spools"]]
    assert (False, True) == (said["balanced"], said["incomplete"])
