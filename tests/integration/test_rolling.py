"""The ledger as it is counted span by span for those who look, beside the one of one moment."""

from collections.abc import AsyncIterator
from random import Random
from typing import Any
from uuid import UUID

import pytest

from service.ops import ledger
from service.ops.rolling import MOST_GROWN, Account, Rolling
from service.store import pool
from service.store.ids import made_at
from service.store.pool import Pool, transaction
from tests import rows

pytestmark = pytest.mark.postgres

FEW = 4
"""Rows of one span."""


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


async def _events(store: Pool, number: int, *places: str) -> list[UUID]:
    async with transaction(store) as tx:
        return [await rows.event(tx, *places) for _ in range(number)]


async def _round(rolling: Rolling) -> Account:
    """Until nothing is left that was counted before now."""
    for _ in range(100):
        await rolling.read()
    return await rolling.read()


def _sums(said: dict[str, Any]) -> dict[str, Any]:
    return {**said, "at": None}


async def test_the_newest_rows_are_counted_first_and_at_last_all(store: Pool) -> None:
    events = await _events(store, 5 * FEW, "applied")
    async with transaction(store) as tx:
        for _ in events:
            await rows.request(tx)
    rolling = Rolling(store, rows=FEW, at_once=0)
    first = await rolling.read()
    assert (2 * FEW, True) == (first.ledger["totals"]["accepted"], first.ledger["balanced"])
    assert not first.whole
    assert first.back_to is not None
    assert made_at(events[-2 * FEW - 1]) == pytest.approx(first.back_to.timestamp(), abs=0.002)
    assert (None, {}) == (first.received, first.owed)
    last = await _round(rolling)
    assert (True, None) == (last.whole, last.back_to)
    assert _sums(await ledger.read(store)) == _sums(last.ledger)


async def test_whatever_happens_a_round_later_it_is_what_one_moment_shows(store: Pool) -> None:
    chance, waiting = Random(7), list[UUID]()
    rolling = Rolling(store, rows=FEW, at_once=0)
    for _ in range(60):
        if chance.random() < 0.6:
            waiting += await _events(store, chance.randint(1, 2 * FEW), "pending")
        async with transaction(store) as tx:
            for event in chance.sample(waiting, k=len(waiting) // 3):
                waiting.remove(event)
                await tx.execute("DELETE FROM outbox WHERE event_id = $1", event)
                await rows.put(tx, event, chance.choice(("applied", "ignored", "dead")))
            await rows.request(tx, source=chance.choice(("shop", "wms")))
            await rows.tally(tx, duplicates=chance.randint(0, 2))
            subject = await rows.subject(tx, ref=f"A-{chance.random()}")
            await rows.sync(tx, subject, destination=chance.choice(("crm", "shop")))
        account = await rolling.read()
        assert account.ledger["balanced"], account.ledger["misplaced"]
    account, moment = await _round(rolling), await ledger.read(store)
    assert account.whole
    assert moment["balanced"]
    assert _sums(moment) == _sums(account.ledger)
    assert await ledger.received(store) == account.received
    assert await ledger.owed(store) == account.owed


async def test_a_row_out_of_place_is_found_wherever_it_is(store: Pool) -> None:
    events = await _events(store, 5 * FEW, "applied")
    rolling = Rolling(store, rows=FEW, at_once=0)
    assert (await _round(rolling)).ledger["balanced"]
    async with transaction(store) as tx:
        await tx.execute("DELETE FROM event_outcomes WHERE event_id = $1", events[1])
        await tx.execute("DELETE FROM events WHERE id = $1", events[-1])
    found = (await _round(rolling)).ledger
    assert not found["balanced"]
    assert {str(events[1]), str(events[-1])} == {each["id"] for each in found["misplaced"]}


async def test_after_a_long_time_without_anybody_it_begins_anew(store: Pool) -> None:
    await _events(store, 2 * FEW, "applied")
    rolling = Rolling(store, rows=FEW, at_once=0)
    await _round(rolling)
    await _events(store, (MOST_GROWN + 2) * (FEW + 1), "applied")
    assert not (await rolling.read()).whole
    assert _sums(await ledger.read(store)) == _sums((await _round(rolling)).ledger)


async def test_what_retention_takes_is_never_counted_twice(store: Pool) -> None:
    events = await _events(store, 5 * FEW, "applied")
    rolling = Rolling(store, rows=FEW, at_once=0)
    before = (await _round(rolling)).ledger["totals"]
    async with transaction(store) as tx:
        gone = events[: 2 * FEW]
        await tx.execute("DELETE FROM event_outcomes WHERE event_id = ANY($1::uuid[])", gone)
        await tx.execute("DELETE FROM events WHERE id = ANY($1::uuid[])", gone)
        await tx.execute(
            "INSERT INTO ledger_totals (source, applied) VALUES ('shop', $1)", len(gone)
        )
    for _ in range(20):
        account = await rolling.read()
        assert account.ledger["balanced"]
        assert account.ledger["totals"]["accepted"] <= before["accepted"]
    assert before == (await rolling.read()).ledger["totals"]
