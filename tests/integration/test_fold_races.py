"""Workers at the same subjects and names at once: nothing is lost, nobody waits in a ring."""

import asyncio
import random
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest

from service.domain import law
from service.domain.errors import StoreUnavailable
from service.domain.events import Event
from service.domain.law import State
from service.domain.lifecycles import ORDER
from service.store.pool import Connection, transaction
from tests import make
from tests.folding import Desk, Watched, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres

ROUNDS = 1000
LONG_ROUNDS = 10_000
STORY = [
    ("payment", "awaiting_payment"),
    ("payment", "paid"),
    ("fulfillment", "picking"),
    ("fulfillment", "shipped"),
    ("delivery", "in_transit"),
    ("delivery", "delivered"),
]


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database, size=6) as made:
        yield made


def told(ref: str, chance: random.Random) -> list[Event]:
    """One order's story; some of it is told without the order's number."""
    name = f"t-{ref}"
    events = []
    for step, (lane, status) in enumerate(STORY):
        said: dict[str, Any] = {"lane": lane, "status": status, "occurred_at": make.at(step)}
        knows = lane != "delivery" or chance.random() < 0.5
        events.append(shop(ref, **said) if knows else courier(name, **said))
    where = chance.randrange(len(events))
    events.append(shop(ref, name, lane=None, status=None, attributes={"n": str(where)}))
    return events


async def race(order: Desk, rounds: int, *, subjects: int = 2) -> None:
    """Let two workers fold the same orders in every round, each a part of their events."""
    chance = random.Random(11)
    stories: dict[str, list[Event]] = {}
    batches: list[list[UUID]] = []
    for number in range(rounds):
        events: list[Event] = []
        for each in range(subjects):
            ref = f"{number}-{each}"
            stories[ref] = told(ref, chance)
            events += stories[ref]
        chance.shuffle(events)
        batches.append(await order.accept(*events))
    one, other = order.worker(), order.worker()
    for batch in batches:
        middle = len(batch) // 2
        await asyncio.gather(one.fold(batch[:middle]), other.fold([*batch[middle:], *batch[:2]]))
    await order.settle()
    assert {"accepted": 7 * len(stories), "applied": 7 * len(stories)} == await order.outcomes()
    found = dict(await order.table("SELECT ref, state FROM subjects"))
    for ref, events in stories.items():
        whole = law.fold(ORDER, events).state
        assert _seen(State.from_json(found[ref])) == _seen(whole), ref


def _seen(state: State) -> tuple[object, ...]:
    return state.lanes_view, state.parcels_view, state.attributes_view


@pytest.mark.timeout(180)
async def test_two_workers_at_the_same_orders_lose_nothing(order: Desk) -> None:
    await race(order, ROUNDS)


@pytest.mark.long
@pytest.mark.timeout(3600)
async def test_two_workers_at_the_same_orders_lose_nothing_for_long(order: Desk) -> None:
    await race(order, LONG_ROUNDS)


async def test_many_workers_at_few_orders_and_names_never_wait_in_a_ring(order: Desk) -> None:
    chance = random.Random(5)
    events = [event for n in range(12) for event in told(str(n), chance)]
    ids = await order.accept(*chance.sample(events, len(events)))
    before = await _deadlocks(order)
    parts = [chance.sample(ids, 30) for _ in range(40)]
    await asyncio.gather(*(order.worker().fold(part) for part in parts))
    await order.worker().fold(ids)
    await order.settle()
    assert {"accepted": 84, "applied": 84} == await order.outcomes()
    assert before == await _deadlocks(order)


async def _deadlocks(order: Desk) -> int:
    return int(
        await order.one("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
    )


@pytest.mark.parametrize("by", ["operator", "event"])
async def test_whoever_comes_first_link_or_event_nobody_waits_for_ever(
    order: Desk, by: str
) -> None:
    """An event that is about to wait, and the link it waits for, at the same moment."""
    await order.happen(*(shop(str(n)) for n in range(150)))
    for number in range(150):
        ref, name = str(number), f"t{number}"
        waiting, linking = await order.accept(courier(name), shop(ref, name))
        first, second = order.worker(), order.worker()
        if by == "operator":
            await order.one("DELETE FROM outbox WHERE event_id = $1", linking)
            await order.one("DELETE FROM events WHERE id = $1", linking)
            link = order.link(tracking(name), ref)
        else:
            link = second.fold([linking])
        both = [first.fold([waiting]), link]
        await asyncio.gather(*(both if number % 2 else reversed(both)))
    await order.settle()
    totals = await order.outcomes()
    assert totals["accepted"] == totals["applied"]
    assert {"delivered"} == set((await order.statuses()).values())


async def test_two_links_that_release_one_event_do_it_once(order: Desk) -> None:
    await order.happen(shop("1"))
    for number in range(40):
        names = (tracking(f"a{number}"), tracking(f"b{number}"))
        events = [courier("", aliases=names), courier("", aliases=names[::-1])]
        await order.worker().fold(await order.accept(*events))
        await asyncio.gather(*(order.link(name, "1") for name in names))
    assert [80] == await order.column("SELECT count(*) FROM outbox")
    await order.settle()
    assert {"accepted": 81, "applied": 81} == await order.outcomes()


@pytest.mark.parametrize(
    ("moment", "how"),
    [
        ("TRIGGER break BEFORE DELETE", ""),
        ("CONSTRAINT TRIGGER break AFTER DELETE", "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW"),
    ],
    ids=["in its last statement", "at its commit"],
)
async def test_a_fold_that_fails_at_the_end_leaves_all_as_before(
    order: Desk, moment: str, how: str
) -> None:
    await order.happen(courier("123"), shop("1"))
    before = await _everything(order)
    ids = await order.accept(shop("1", "123", status="refunded", occurred_at=make.at(9)))
    with_outbox = await _everything(order)
    async with transaction(order.db) as tx:
        await tx.execute(
            "CREATE FUNCTION break() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE 'no' USING ERRCODE = '57014'; END $$;"
            f"CREATE {moment} ON outbox {how} EXECUTE FUNCTION break()"
        )
    with pytest.raises(StoreUnavailable):
        await order.worker().fold(ids)
    assert with_outbox == await _everything(order)
    assert before != with_outbox
    await order.one("DROP TRIGGER break ON outbox")
    await order.settle()
    assert {"accepted": 3, "applied": 3} == await order.outcomes()


async def test_a_worker_that_dies_between_its_statements_leaves_all_as_before(
    order: Desk,
) -> None:
    """The connection ends after each of the statements in turn."""
    await order.happen(courier("123"), shop("1"))
    ids = await order.accept(
        shop("1", "123", status="refunded", occurred_at=make.at(9)),
        shop("1", status="awaiting_payment", occurred_at=make.at(0)),
    )
    before = await _everything(order)
    for statement in range(1, 4):
        with pytest.raises(StoreUnavailable):
            await _cut_after(order, ids, statement)
        assert before == await _everything(order)
    await order.settle()
    assert {"accepted": 4, "applied": 4} == await order.outcomes()


async def _cut_after(order: Desk, ids: list[UUID], statement: int) -> None:
    """Fold over a connection that ends after so many statements."""
    seen: list[str] = []

    def cut(connection: Connection, query: str, _: object) -> None:
        if query.startswith("WITH"):
            seen.append(query)
            if len(seen) == statement:
                connection.terminate()

    await order.worker(Watched(order.db, cut)).fold(ids)


async def _everything(order: Desk) -> dict[str, list[tuple[object, ...]]]:
    tables = ("outbox", "waiting", "adoptions", "aliases", "event_outcomes", "dead_letters")
    more = ("subjects", "transitions", "syncs", "anomalies")
    return {
        name: sorted(await order.table(f"SELECT t::text FROM {name} t"))
        for name in (*tables, *more)
    }
