"""What people and senders do to the same orders, one after the other: no word is lost."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from service.domain import law
from service.domain.events import Event, Revocation, Subject
from service.domain.routing import Condition, Route
from service.ops import corrections, dead_letters, dossiers, refolds, waiting
from service.ops.dead_letters import Order
from service.ops.decisions import Hand
from service.store import pool
from service.store.dead_letters import Selection
from service.store.ids import new_id
from tests import make
from tests.folding import RULES, Desk, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


def name(ref: str) -> Subject:
    return Subject("order", "", ref)


async def roll_back(order: Desk, ref: str, event_id: UUID) -> None:
    hand = Hand(order.db, order.rules, "anna")
    await corrections.roll_back(hand, name(ref), event_id, reason="It is wrong.")


async def correct(order: Desk, ref: str, status: str) -> None:
    lane, _, word = status.partition(".")
    hand = Hand(order.db, order.rules, "anna")
    await corrections.correct(hand, name(ref), lane=lane, status=word, reason="I saw it.")


def taking_back(event: Event, **said: Any) -> Event:
    usual = {"source": event.source, "ref": event.statement.ref, "lane": None, "status": None}
    back = Revocation(event.source, event.statement.dedupe_key)
    return make.event(id=new_id(), **{**usual, **said}, revokes=back)


async def outcomes(order: Desk, ref: str) -> list[tuple[str, str]]:
    """What the page of an order says of its events."""
    page = await dossiers.read(order.db, name(ref), lifecycles=order.rules.lifecycles)
    assert page is not None
    steps = [step for step in page["history"] if step["kind"] == "event"]
    return [(step["outcome"], step["actor"]) for step in steps]


async def test_a_rolled_back_event_stays_so_where_a_name_leads_it_later(order: Desk) -> None:
    await order.happen(shop("1"), shop("2"))
    await order.link(tracking("T"), "1")
    scan = courier("T")
    await order.happen(scan)
    await roll_back(order, "1", scan.id)
    await order.unlink(tracking("T"), "1")
    await order.settle()
    await order.link(tracking("T"), "2")
    await order.settle()
    assert {"1": "paid", "2": "paid"} == await order.statuses()
    assert {"accepted": 3, "applied": 2, "revoked": 1} == await order.outcomes()
    assert [("applied", None), ("revoked", "anna")] == await outcomes(order, "2")
    await order.happen(shop("2", lane="fulfillment", status="picking", occurred_at=make.at(0)))
    assert {"1": "paid", "2": "picking"} == await order.statuses()


async def test_a_claim_that_was_taken_back_before_it_came_keeps_nobody_waiting(order: Desk) -> None:
    link = shop("2", "T")
    await order.happen(shop("1", "T"), shop("2"), taking_back(link))
    await order.worker().fold(await order.accept(link, courier("T")))
    await order.settle()
    assert {"1": "delivered", "2": "paid"} == await order.statuses()
    assert {"accepted": 5, "applied": 4, "revoked": 1} == await order.outcomes()
    assert [] == await order.table("SELECT * FROM waiting")


async def test_who_comes_with_the_end_of_a_contradiction_goes_where_it_leads(order: Desk) -> None:
    link = shop("2", "T")
    await order.happen(shop("1", "T"), shop("2"), link, courier("T", "in_transit"))
    assert {"accepted": 4, "applied": 3, "waiting": 1} == await order.outcomes()
    await order.worker().fold(await order.accept(taking_back(link), courier("T")))
    await order.settle()
    assert {"1": "delivered", "2": "paid"} == await order.statuses()
    assert {"accepted": 6, "applied": 5, "revoked": 1} == await order.outcomes()


async def test_a_revoked_event_leaves_with_the_name_that_brought_it(order: Desk) -> None:
    """As if the name had never been its order's: then it would wait for one."""
    link, scan = shop("1", "T"), courier("T")
    await order.happen(shop("1"), link, scan, taking_back(scan, ref="1"))
    assert {"accepted": 4, "applied": 3, "revoked": 1} == await order.outcomes()
    await roll_back(order, "1", link.id)
    await order.settle()
    assert {"accepted": 4, "applied": 2, "revoked": 1, "waiting": 1} == await order.outcomes()
    assert [None] == await order.column("SELECT ref FROM events JOIN waiting ON id = event_id")
    await order.link(tracking("T"), "1")
    await order.settle()
    assert {"accepted": 4, "applied": 2, "revoked": 2} == await order.outcomes()


async def test_what_was_decided_before_a_merge_is_decided_after_it(order: Desk) -> None:
    scan = shop("1", lane="delivery", status="in_transit", occurred_at=make.at(3))
    await order.happen(shop("1"), scan, shop("2"))
    await roll_back(order, "1", scan.id)
    await correct(order, "1", "fulfillment.packed")
    await order.merge("1", "2")
    await order.settle()
    assert {"2": "ready_to_ship"} == await order.statuses()
    assert {"accepted": 3, "applied": 2, "revoked": 1} == await order.outcomes()
    again = shop("1", lane="delivery", status="delivered", occurred_at=make.at(4))
    await order.happen(again)
    assert {"2": "delivered"} == await order.statuses()
    await roll_back(order, "2", again.id)
    assert {"2": "ready_to_ship"} == await order.statuses()


async def test_what_an_operator_discarded_does_not_come_back_by_a_link(order: Desk) -> None:
    await order.happen(shop("1"), courier("T"), courier("T", "in_transit"))
    await order.one("UPDATE waiting SET deadline_at = now()")
    assert 2 == await waiting.end_overdue(order.db)
    (letter, _) = await order.column("SELECT id FROM dead_letters ORDER BY event_id")
    await carry_out(order, "discard", [letter])
    await order.link(tracking("T"), "1")
    page = await dossiers.read(order.db, name("1"), lifecycles=order.rules.lifecycles)
    assert page is not None
    assert [0] == [alias["waiting"] for alias in page["aliases"]]
    await order.settle()
    assert {"accepted": 3, "applied": 2, "discarded": 1} == await order.outcomes()
    assert {"1": "in_transit"} == await order.statuses()


async def test_a_redriven_event_finds_the_link_or_waits_again(order: Desk) -> None:
    await order.happen(shop("1"), courier("T"))
    await order.one("UPDATE waiting SET deadline_at = now()")
    await waiting.end_overdue(order.db)
    (letter,) = await order.column("SELECT id FROM dead_letters")
    await carry_out(order, "redrive", [letter])
    await order.settle()
    assert {"accepted": 2, "applied": 1, "waiting": 1} == await order.outcomes()
    assert [True] == await order.column("SELECT deadline_at > now() FROM waiting")
    await order.one("UPDATE waiting SET deadline_at = now()")
    await waiting.end_overdue(order.db)
    (letter,) = await order.column("SELECT id FROM dead_letters WHERE resolved_at IS NULL")
    await carry_out(order, "redrive", [letter])
    await order.link(tracking("T"), "1")
    await order.settle()
    assert {"accepted": 2, "applied": 2} == await order.outcomes()
    assert {"1": "delivered"} == await order.statuses()


async def carry_out(order: Desk, verb: str, ids: Sequence[UUID]) -> None:
    asked = Order(verb, Selection(ids=tuple(ids)), "anna", because="Nobody needs it.")  # type: ignore[arg-type]
    placed = await dead_letters.place(order.db, asked, dry_run=False, mine=True)
    assert placed.job is not None
    async with pool.transaction(order.db) as tx:
        await dead_letters.STEPS[verb](tx, placed.job, 10)


async def test_subjects_of_the_first_law_are_folded_anew_by_the_next_event(order: Desk) -> None:
    await order.happen(
        shop("1", attributes={"vip": True}),
        shop("1", parcel="A", lane="delivery", status="in_transit", occurred_at=make.at(5)),
        shop("2"),
    )
    await order.table(
        "UPDATE subjects SET law = 1, lifecycle_hash = '', state = jsonb_build_object("
        "'lanes', jsonb_build_object('payment', jsonb_build_object('status', 'paid')),"
        "'attributes', jsonb_build_object('vip', jsonb_build_object('value', true)))"
    )
    page = await dossiers.read(order.db, name("1"), lifecycles=order.rules.lifecycles)
    assert page is not None
    assert ({"payment": "paid"}, {"vip": True}) == (page["lanes"], page["attributes"])
    _, body = await refolds.place(Hand(order.db, order.rules, "anna"), None, rate=10, dry_run=True)
    assert (2, 2) == (body["matched"], body["behind"])
    late = shop("1", parcel="B", lane="delivery", status="picked_up", occurred_at=make.at(4))
    await order.happen(late)
    await correct(order, "2", "order.confirmed")
    page = await dossiers.read(order.db, name("1"), lifecycles=order.rules.lifecycles)
    assert page is not None
    assert {"payment": "paid", "delivery": "picked_up"} == page["lanes"]
    assert ["A", "B"] == [each["parcel"] for each in page["parcels"]]
    assert {"1": law.LAW, "2": law.LAW} == dict(await order.table("SELECT ref, law FROM subjects"))
    assert {"accepted": 4, "applied": 4} == await order.outcomes()


VIP = Condition.of("attributes.vip")
ROUTES = (
    Route(["*"], ["*"], ["crm"]),
    Route(["*"], ["*"], ["crm"], when=VIP, priority=1),
    Route(["*"], ["order.*"], ["alerts"], when=Condition.of("contains(flags, 'shipped_unpaid')")),
)
ROUTED = replace(RULES, routes=ROUTES, leases={**RULES.leases, "alerts": RULES.leases["crm"]})


async def owed(order: Desk) -> list[tuple[str, str, int]]:
    return await order.table(
        "SELECT s.ref, y.destination, y.priority FROM syncs y"
        " JOIN subjects s ON s.id = y.subject_id WHERE y.synced_version < y.desired_version"
        " ORDER BY s.ref, y.destination"
    )


async def test_who_becomes_important_by_a_merge_goes_first(database: str) -> None:
    async with desk(database, rules=ROUTED) as order:
        await order.happen(shop("1", attributes={"vip": True}), shop("2"))
        assert [("1", "crm", 1), ("2", "crm", 5)] == await owed(order)
        await order.merge("1", "2")
        assert [("1", "crm", 1), ("2", "crm", 1)] == await owed(order)


async def test_a_route_looks_at_flags_that_events_or_people_raise(database: str) -> None:
    async with desk(database, rules=ROUTED) as order:
        opened = shop("1", status="awaiting_payment")
        shipped = shop("1", lane="fulfillment", status="shipped")
        await order.happen(shipped, opened, shop("2"))
        assert [("1", "alerts", 5), ("1", "crm", 5), ("2", "crm", 5)] == await owed(order)
        await order.happen(shop("3", status="awaiting_payment"))
        await correct(order, "3", "fulfillment.shipped")
        assert ("3", "alerts", 5) in await owed(order)
