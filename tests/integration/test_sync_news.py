"""What a call tells is read whole, however long ago it became news."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.domain.routing import Route
from service.store import epoch, pool, syncs
from service.store.syncs import Lease, Owed
from tests import make
from tests.folding import RULES, Desk, Watched, desk, shop

pytestmark = pytest.mark.postgres

EVERYTHING = (Route(["*"], ["*"], ["crm"]),)
LEASE = timedelta(minutes=5)
AGE = """
UPDATE transitions SET id = (lpad(to_hex((extract(epoch FROM now() - $1::interval) * 1000)::bigint),
                                  12, '0') || substr(id::text, 14))::uuid
WHERE version <= $2
"""
"""As if the first versions had been made so long ago."""


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database, rules=replace(RULES, routes=EVERYTHING)) as made:
        yield made


async def leased(order: Desk) -> list[Lease]:
    await order.one("UPDATE syncs SET lease_owner = NULL, due_at = now()")
    async with pool.transaction(order.db) as tx:
        return await syncs.claim(tx, "crm", limit=10, lease=LEASE)


async def loaded(order: Desk, leases: Sequence[Lease]) -> dict[str, Owed]:
    async with pool.transaction(order.db) as tx:
        found = await syncs.load(tx, leases, destination="crm")
    return {owed.subject.ref: owed for owed in found}


def told(found: Mapping[str, Owed]) -> dict[str, list[object]]:
    """The ids of the events that each call tells, by the order's number."""
    return {ref: list(owed.event_ids) for ref, owed in found.items()}


def the_newest(ids: Mapping[str, list[object]]) -> dict[str, list[object]]:
    return {ref: each[:1] for ref, each in ids.items()}


async def two_with_a_past(order: Desk) -> dict[str, list[object]]:
    """Two orders whose steps are still to be told, and the ids of these, the newest first."""
    steps = [
        (shop(ref), shop(ref, lane="fulfillment", status="packed", occurred_at=make.at(2)))
        for ref in ("1", "2")
    ]
    for step in steps:
        for event in step:
            await order.happen(event)
    return {step[0].statement.ref or "": [event.id for event in step[::-1]] for step in steps}


@pytest.mark.parametrize("old", [0, 1, 2])
async def test_versions_of_long_ago_are_told_with_those_of_today(order: Desk, old: int) -> None:
    ids = await two_with_a_past(order)
    before = await loaded(order, await leased(order))
    await order.one(AGE, timedelta(days=3), old)
    assert before == {
        ref: replace(owed, lease=before[ref].lease)
        for ref, owed in (await loaded(order, await leased(order))).items()
    }
    assert told(before) == ids


async def test_only_what_was_not_shown_yet_is_news(order: Desk) -> None:
    ids = await two_with_a_past(order)
    await order.one("UPDATE syncs SET synced_version = 1")
    assert told(await loaded(order, await leased(order))) == the_newest(ids)


async def test_what_is_told_again_is_told_with_the_same_events(order: Desk) -> None:
    ids = await two_with_a_past(order)
    await order.one(
        "UPDATE syncs SET told_version = 2, told_after = 0, synced_version = 2,"
        " synced_status = 'packed'"
    )
    await order.one(AGE, timedelta(days=3), 1)
    found = await loaded(order, await leased(order))
    assert ids == {ref: list(owed.told_event_ids) for ref, owed in found.items()}
    assert [[], []] == [list(owed.event_ids) for owed in found.values()]


async def test_what_retention_took_is_missed_by_nobody(order: Desk) -> None:
    ids = await two_with_a_past(order)
    await order.one("DELETE FROM transitions WHERE version = 1")
    assert told(await loaded(order, await leased(order))) == the_newest(ids)


async def reads(order: Desk) -> tuple[dict[str, list[object]], int]:
    """What is told, and how often it took a look."""
    leases, looks = await leased(order), []

    def note(_: object, query: str, __: Sequence[object]) -> None:
        looks.extend([query] * (query == syncs.SQL["load"]))

    watched: Any = Watched(order.db, note)
    async with pool.transaction(watched) as tx:
        found = await syncs.load(tx, leases, destination="crm")
    return told({owed.subject.ref: owed for owed in found}), len(looks)


async def test_one_look_is_enough_for_what_came_after_a_restore(order: Desk) -> None:
    base = await order.one(
        f"SELECT extract(epoch FROM now() - interval '1 h')::bigint * {epoch.SPAN}"
    )
    await order.one(f"ALTER TABLE subjects ALTER COLUMN version SET DEFAULT {base}")
    assert (await two_with_a_past(order), 1) == await reads(order)


async def test_what_came_before_a_restore_is_told_whole(order: Desk) -> None:
    ids = await two_with_a_past(order)
    await order.one(AGE, timedelta(days=3), 2)
    await order.one("UPDATE subjects SET created_at = created_at - interval '3 d'")
    async with pool.transaction(order.db) as tx:
        base = await epoch.begin(tx)
        await epoch.lift(tx, 0, base=base, limit=10, destinations=["crm"])
    assert (ids, 2) == await reads(order)
