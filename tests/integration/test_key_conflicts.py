"""A key that comes again with another meaning: the first one stands, and the second is noted."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from service import telemetry
from service.domain.events import Alias, Event, Fate, Lookup, Money, Revocation
from service.store import acceptance, details, outbox, pool
from service.store.acceptance import Arrival
from service.store.ids import new_id
from tests import make
from tests.folding import Desk, Watched, desk

pytestmark = pytest.mark.postgres


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


def said(**overrides: object) -> Event:
    return make.event(id=new_id(), dedupe_key="evt_1", **overrides)


async def noted(order: Desk) -> list[tuple[object, ...]]:
    return await order.table("SELECT kind, source, event_id FROM anomalies ORDER BY id")


async def test_the_same_again_is_no_conflict(order: Desk) -> None:
    await order.accept(said())
    await order.accept(said(), said(note="in other words"))
    assert [] == await noted(order)


async def test_another_meaning_is_noted_once_for_the_event_that_stands(order: Desk) -> None:
    (first,) = await order.accept(said())
    before = counted()
    for status in ("refunded", "chargeback", "refunded"):
        await order.accept(said(status=status))
    assert [("key_conflict", "shop", first)] == await noted(order)
    assert 3 == counted() - before
    assert ["paid"] == await order.column("SELECT status FROM events")


async def test_within_one_batch_it_is_noted_as_well(order: Desk) -> None:
    first, _ = await order.accept(said(), said(status="refunded"))
    assert [("key_conflict", "shop", first)] == await noted(order)


async def test_whoever_writes_at_the_same_time_notes_it_once(order: Desk) -> None:
    await order.accept(said())
    await asyncio.gather(*(order.accept(said(status="refunded")) for _ in range(6)))
    assert 1 == len(await noted(order))


async def test_what_nobody_understood_contradicts_nothing(order: Desk) -> None:
    await order.accept(said(fate=Fate.UNMAPPED, note="What is OK?"))
    await order.accept(said())
    assert [] == await noted(order)


async def test_acceptance_takes_one_round_trip_unless_there_is_something_to_note(
    order: Desk,
) -> None:
    queries: list[str] = []

    def note(_: object, query: str, __: object) -> None:
        if " INTO " in query:
            queries.append(query)

    def arrival(event: Event) -> Arrival:
        return Arrival(new_id(), "shop", make.AT, "", "POST", "/", "", {}, b"{}", [event])

    for event in (said(), said(), said(status="refunded")):
        await acceptance.accept(
            Watched(order.db, note),  # type: ignore[arg-type]
            [arrival(event)],
            process=new_id(),
            published=False,
            lease=outbox.LEASE,
        )
    assert [3, 1] == [
        len([query for query in queries if f"INTO {table}" in query])
        for table in ("dedupe_keys", "anomalies")
    ]


async def test_all_that_an_event_says_is_kept(order: Desk) -> None:
    event = said(
        parcel="p-1",
        returns=True,
        aliases=(Alias("tracking:cdek", "123"), Alias("doc:erp", 'a"b')),
        reason="NO_ONE_HOME",
        money=(Money("refunded", "10.00", "EUR", id="re_1"), Money("paid", "25.50")),
        revokes=Revocation("bank", "evt_0"),
        lookup=Lookup("payment", "pay_1"),
        attributes={"vip": True},
    )
    await order.accept(event)
    async with pool.session(order.db) as connection:
        row = await connection.fetchrow("SELECT * FROM events")
    assert row is not None
    assert event.statement == details.statement(dict(row))


async def test_what_is_not_there_takes_no_room(order: Desk) -> None:
    await order.accept(said())
    assert [{}] == await order.column("SELECT details FROM events")
    assert [12] == await order.column("SELECT length(digest) FROM dedupe_keys")


def counted() -> float:
    return float(telemetry.KEY_CONFLICTS.labels("shop")._value.get())  # noqa: SLF001
