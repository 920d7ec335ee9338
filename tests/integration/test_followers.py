"""Events that only take another one back: they follow it to its subject, or wait for it there."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.domain.events import Event, Revocation
from service.ops import waiting
from service.store.ids import new_id
from tests import make
from tests.folding import RULES, Desk, Watched, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


def taking_back(event: Event, **said: Any) -> Event:
    """It names nothing but the event it takes back."""
    taken = Revocation(event.source, event.statement.dedupe_key)
    usual = {"source": event.source, "ref": None, "lane": None, "status": None, "revokes": taken}
    return make.event(id=new_id(), **{**usual, "occurred_at": None, **said})


async def come(order: Desk, *events: Event) -> None:
    """Events happen, and whoever waits for them is looked after each time."""
    for event in events:
        await order.happen(event)
        await waiting.release_followers(order.db)
        await order.settle()


async def test_it_follows_an_event_that_names_its_order(order: Desk) -> None:
    paid = shop("1001")
    packed = shop("1001", lane="fulfillment", status="packed", occurred_at=make.at(2))
    await order.happen(paid, packed, taking_back(packed))
    assert {"1001": "paid"} == await order.statuses()
    assert {"accepted": 3, "applied": 2, "revoked": 1} == await order.outcomes()
    assert 1 == await order.one("SELECT count(*) FROM adoptions")
    assert 0 == await order.one("SELECT count(*) FROM aliases")


async def test_it_follows_an_event_that_is_at_its_order_by_a_name(order: Desk) -> None:
    moved = courier("123")
    await order.happen(shop("1001", "123"), moved, taking_back(moved))
    assert {"1001": "paid"} == await order.statuses()
    await order.happen(shop("1001", attributes={"vip": True}, occurred_at=make.at(0)))
    assert {"accepted": 4, "applied": 3, "revoked": 1} == await order.outcomes()


async def test_it_may_come_first_and_says_for_what_it_waits(order: Desk) -> None:
    packed = shop("1001", lane="fulfillment", status="packed", occurred_at=make.at(2))
    await order.happen(taking_back(packed))
    (reason,) = await order.column("SELECT reason FROM event_outcomes")
    key = packed.statement.dedupe_key
    assert f"waits for the event {key} of shop to be folded, which it takes back; until" in reason
    assert 0 == await waiting.release_followers(order.db)
    await order.happen(packed)
    assert {"1001": "ready_to_ship"} == await order.statuses()
    assert 1 == await waiting.release_followers(order.db)
    await order.settle()
    assert {"1001": "new"} == await order.statuses()
    assert {"accepted": 2, "applied": 1, "revoked": 1} == await order.outcomes()
    assert 0 == await waiting.release_followers(order.db)
    assert 0 == await order.one("SELECT count(*) FROM waiting")


async def test_every_order_of_arrival_ends_alike(order: Desk) -> None:
    def story(tag: str) -> list[Event]:
        track = f"T-{tag}"
        moved = courier(track, dedupe_key=f"m-{tag}")
        return [
            shop(tag, track, dedupe_key=f"p-{tag}"),
            moved,
            taking_back(moved, dedupe_key=f"m-{tag}:revoked"),
            courier(track, "picked_up", dedupe_key=f"u-{tag}", occurred_at=make.at(40)),
        ]

    for number, places in enumerate(itertools.permutations(range(4))):
        events = story(f"s{number}")
        await come(order, *(events[place] for place in places))
    assert {"in_transit"} == set((await order.statuses()).values())
    assert {"accepted": 96, "applied": 72, "revoked": 24} == await order.outcomes()


async def test_it_leaves_with_its_event_and_finds_it_again(order: Desk) -> None:
    moved = courier("123")
    await order.happen(shop("1001", "123"), shop("1002"), moved, taking_back(moved))
    await order.unlink(tracking("123"), "1001")
    await order.settle()
    assert {"accepted": 4, "applied": 2, "waiting": 2} == await order.outcomes()
    await order.link(tracking("123"), "1002")
    await order.settle()
    await waiting.release_followers(order.db)
    await order.settle()
    assert {"accepted": 4, "applied": 3, "revoked": 1} == await order.outcomes()
    assert {"1001": "paid", "1002": "paid"} == await order.statuses()


async def test_past_its_deadline_it_is_dead_and_its_event_revives_it(database: str) -> None:
    rules = replace(RULES, deadline=timedelta(0))
    async with desk(database, rules=rules) as order:
        packed = shop("1001", lane="fulfillment", status="packed")
        await order.happen(taking_back(packed))
        assert 1 == await waiting.end_overdue(order.db)
        summary = await order.one("SELECT summary FROM dead_letters")
        assert "for the event of shop that it takes back (event:shop=" in summary
        assert {"accepted": 1, "dead": 1} == await order.outcomes()
        await order.happen(packed)
        assert 1 == await waiting.release_followers(order.db)
        await order.settle()
        assert {"accepted": 2, "applied": 1, "revoked": 1} == await order.outcomes()


async def test_an_operator_may_say_where_it_belongs(order: Desk) -> None:
    nowhere = make.event(id=new_id())
    await order.happen(shop("1001"), taking_back(nowhere))
    (value,) = await order.column("SELECT value FROM waiting")
    await order.link(tracking("1")._replace(type="event:shop", value=value), "1001")
    await order.settle()
    assert {"accepted": 2, "applied": 2} == await order.outcomes()


async def test_it_costs_one_round_trip_more(order: Desk) -> None:
    paid = shop("1001")
    await order.happen(paid)
    ids = await order.accept(taking_back(paid))
    said: list[str] = []
    await order.worker(Watched(order.db, lambda _, query, __: said.append(query))).fold(ids)
    began = next(place for place, query in enumerate(said) if query.startswith("BEGIN"))
    ended = next(place for place, query in enumerate(said) if query.startswith("COMMIT"))
    assert 5 == ended - began - 1
