"""Events that know their subject by another name: they wait, are brought to it, and come back."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.events import Alias, Event, Revocation, Subject
from service.ops import dead_letters, waiting
from service.ops.lookups import Page
from service.store import pool, subjects
from service.store.dead_letters import Selection
from service.store.ids import new_id
from service.worker import refold
from tests import make
from tests.folding import RULES, Desk, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


async def test_an_event_that_knows_only_a_name_waits_and_says_for_what(order: Desk) -> None:
    await order.happen(courier("123"))
    assert {"accepted": 1, "waiting": 1} == await order.outcomes()
    (reason,) = await order.column("SELECT reason FROM event_outcomes")
    assert "waits for tracking:cdek=123 to be linked to an order; until 20" in reason
    assert [(True,)] == await order.table(
        "SELECT deadline_at BETWEEN now() + interval '6 days' AND now() + interval '7 days'"
        " FROM waiting"
    )


async def test_a_later_event_with_the_order_and_the_name_brings_it_there(order: Desk) -> None:
    await order.happen(courier("123"), shop("1001", "123"))
    assert {"accepted": 2, "applied": 2} == await order.outcomes()
    assert {"1001": "delivered"} == await order.statuses()
    assert [] == await order.table("SELECT * FROM waiting")
    assert [(None,)] == await order.table("SELECT ref FROM events WHERE source = 'cdek'")
    assert [1] == await order.column("SELECT count(*) FROM adoptions")


async def test_an_event_after_the_link_goes_there_at_once(order: Desk) -> None:
    await order.happen(shop("1001", "123"), courier("123", "in_transit"))
    assert {"1001": "in_transit"} == await order.statuses()
    await order.happen(courier("123", "delivered", occurred_at=make.at(60)))
    assert {"1001": "delivered"} == await order.statuses()


async def test_an_operator_links_and_the_release_is_one_step(order: Desk) -> None:
    await order.happen(shop("1001"), courier("123"), courier("123", "in_transit"))
    await order.link(tracking("123"), "1001")
    assert [] == await order.table("SELECT * FROM waiting")
    assert {"accepted": 3, "applied": 1, "pending": 2} == await order.outcomes()
    await order.settle()
    assert {"1001": "delivered"} == await order.statuses()


async def test_an_event_waits_for_any_of_its_names(order: Desk) -> None:
    await order.happen(shop("1001"), courier("123", aliases=(tracking("123"), Alias("cdek", "U"))))
    await order.link(Alias("cdek", "U"), "1001")
    await order.settle()
    assert {"1001": "delivered"} == await order.statuses()
    assert [] == await order.table("SELECT * FROM waiting")


async def test_who_was_brought_speaks_for_its_other_names(order: Desk) -> None:
    await order.happen(
        courier("U", "in_transit", occurred_at=make.at(40)),
        shop("1001", "123"),
        courier("123", aliases=(tracking("123"), tracking("U"))),
    )
    assert {"accepted": 3, "applied": 3} == await order.outcomes()


async def test_names_and_events_of_one_batch_find_each_other(order: Desk) -> None:
    ids = await order.accept(courier("123"), shop("1001", "123"), courier("9"))
    await order.worker().fold(ids)
    assert {"accepted": 3, "applied": 2, "waiting": 1} == await order.outcomes()


async def test_past_the_deadline_it_is_dead_and_a_link_revives_it(order: Desk) -> None:
    await order.happen(shop("1001"), courier("123"))
    assert 0 == await waiting.end_overdue(order.db)
    await order.one("UPDATE waiting SET deadline_at = now()")
    assert 1 == await waiting.end_overdue(order.db)
    assert 0 == await waiting.end_overdue(order.db)
    ((reason, summary),) = await order.table("SELECT reason, summary FROM dead_letters")
    assert "unresolved_subject" == reason
    assert "for tracking:cdek=123 to be linked to an order, in vain" in summary
    (letter,) = (await dead_letters.letters(order.db, Selection(), Page(10)))["items"]
    assert "`orderhook orders alias REF tracking:cdek=123`" in letter["remedy"]
    assert {"accepted": 2, "applied": 1, "dead": 1} == await order.outcomes()
    await order.link(tracking("123"), "1001")
    await order.settle()
    assert ["revived"] == await order.column("SELECT resolution FROM dead_letters")
    assert {"accepted": 2, "applied": 2} == await order.outcomes()


async def test_contradicting_claims_are_reported_and_an_operator_settles_them(
    order: Desk,
) -> None:
    await order.happen(shop("1", "123"), shop("2", "123", source="wms"), courier("123"))
    assert {"accepted": 3, "applied": 2, "waiting": 1} == await order.outcomes()
    assert [("alias_conflict", "wms", None)] == await order.table(
        "SELECT kind, source, ended_at FROM anomalies"
    )
    (reason,) = await order.column("SELECT reason FROM event_outcomes WHERE outcome = 'waiting'")
    assert "tracking:cdek=123 leads to order/1 and order/2" in reason
    await order.link(tracking("123"), "2")
    await order.settle()
    assert {"1": "paid", "2": "delivered"} == await order.statuses()
    assert [0] == await order.column("SELECT count(*) FROM anomalies WHERE ended_at IS NULL")


async def test_what_a_contradiction_makes_doubtful_waits_in_every_order(order: Desk) -> None:
    story = (("1", "123"), ("2", "123"))
    for number, places in enumerate(itertools.permutations(range(3))):
        tag = f"{number}-"
        events = [shop(tag + ref, tag + name) for ref, name in story] + [courier(tag + "123")]
        await order.happen(*(events[place] for place in places))
    assert {"accepted": 18, "applied": 12, "waiting": 6} == await order.outcomes()
    assert {"paid"} == set((await order.statuses()).values())


async def test_a_scope_keeps_two_shops_apart(order: Desk) -> None:
    await order.happen(
        shop("1001", "eu", scope="shop-eu"),
        shop("1001", "us", scope="shop-us"),
        courier("us"),
    )
    assert [("shop-eu", "paid"), ("shop-us", "delivered")] == await order.table(
        "SELECT scope, status FROM subjects ORDER BY scope"
    )


async def test_a_revoked_event_takes_its_names_with_it(order: Desk) -> None:
    claiming = shop("1001", "123", lane="fulfillment", status="shipped")
    key = claiming.statement.dedupe_key
    taking = shop("1001", status=None, lane=None, revokes=Revocation("shop", key))
    orders = itertools.permutations([shop("1001"), claiming, courier("123"), taking])
    for number, events in enumerate(orders):
        tag = f"{number}-"
        await order.happen(*(_of_story(tag, event) for event in events))
    totals = await order.outcomes()
    assert (48, 24, 24) == (totals["applied"], totals["revoked"], totals["waiting"])
    assert {"paid"} == set((await order.statuses()).values())
    assert [0] == await order.column("SELECT count(*) FROM aliases WHERE revoked_at IS NULL")


def _of_story(tag: str, event: Event) -> Event:
    """The same event in a story of its own."""
    said = event.statement
    return make.event(
        id=new_id(),
        source=event.source,
        statement=replace(
            said,
            dedupe_key=tag + said.dedupe_key,
            ref=said.ref and tag + said.ref,
            aliases=tuple(Alias(alias.type, tag + alias.value) for alias in said.aliases),
            revokes=said.revokes and Revocation("shop", tag + said.revokes.dedupe_key),
        ),
    )


async def test_taking_a_name_back_takes_back_what_came_by_it(order: Desk) -> None:
    await order.happen(shop("1001", "9"), courier("123"))
    await order.link(tracking("123"), "1001")
    await order.settle()
    assert {"1001": "delivered"} == await order.statuses()
    assert await order.unlink(tracking("123"), "1001")
    assert not await order.unlink(tracking("123"), "1001")
    assert {"1001": "paid"} == await order.statuses()
    await order.settle()
    assert {"accepted": 2, "applied": 1, "waiting": 1} == await order.outcomes()
    assert ["anna took back that it is called tracking:cdek=123"] == await order.column(
        "SELECT cause FROM transitions WHERE cause <> ''"
    )


async def test_two_subjects_become_one_and_the_tombstone_redirects(order: Desk) -> None:
    await order.happen(
        shop("1", "123"),
        shop("2", "123", lane="fulfillment", status="packed", source="wms"),
        courier("123"),
    )
    await order.merge("2", "1")
    await order.settle()
    assert {"1": "delivered"} == await order.statuses()
    assert {"accepted": 3, "applied": 3} == await order.outcomes()
    await order.happen(
        shop("2", lane="delivery", status="returning", occurred_at=make.at(90), source="wms")
    )
    assert {"1": "returning"} == await order.statuses()
    versions = await order.table("SELECT ref, version, merged_into IS NULL FROM subjects")
    assert [("1", 4, True), ("2", 1, False)] == sorted(versions)
    assert ["2"] == await order.column("SELECT ref FROM events WHERE status = 'returning'")


async def test_a_merge_takes_the_version_above_both(order: Desk) -> None:
    await order.happen(shop("1"))
    await order.happen(
        *(
            shop("2", lane="fulfillment", status=status, occurred_at=make.at(step))
            for step, status in enumerate(("picking", "packed", "shipped"))
        )
    )
    await order.merge("2", "1")
    assert [4] == await order.column("SELECT version FROM subjects WHERE ref = '1'")
    assert [("anna merged order/2 into it: Ordered twice.",)] == await order.table(
        "SELECT cause FROM transitions WHERE version = 4"
    )


async def test_pins_and_rollbacks_hold_through_the_fold(order: Desk) -> None:
    await order.happen(shop("1001"))
    (subject,) = await order.column("SELECT id FROM subjects")
    async with pool.transaction(order.db) as tx:
        rows = await subjects.lock_present(tx, [Subject("order", "", "1001")])
        await tx.execute(
            "INSERT INTO corrections (subject_id, lane, status, reason, actor)"
            " VALUES ($1, 'payment', 'refunded', 'seen', 'anna')",
            subject,
        )
        await refold.refold(tx, list(rows.values()), rules=RULES, cause="anna set it")
    assert {"1001": "refunded"} == await order.statuses()
    await order.happen(shop("1001", lane="fulfillment", status="packed", occurred_at=make.at(5)))
    late = shop("1001", lane="fulfillment", status="picking", occurred_at=make.at(4))
    await order.happen(late)
    assert {"1001": "refunded"} == await order.statuses()
    await order.one("UPDATE corrections SET released_at = now()")
    (taken,) = await order.column("SELECT id FROM events WHERE status = 'packed'")
    async with pool.transaction(order.db) as tx:
        rows = await subjects.lock_present(tx, [Subject("order", "", "1001")])
        await tx.execute(
            "INSERT INTO rollbacks (event_id, subject_id, reason, actor)"
            " VALUES ($1, $2, 'wrong', 'anna')",
            taken,
            subject,
        )
        await refold.refold(tx, list(rows.values()), rules=RULES, because=[taken])
    assert {"1001": "picking"} == await order.statuses()
    assert {"accepted": 3, "applied": 2, "revoked": 1} == await order.outcomes()


async def test_a_rolled_back_event_takes_its_names_with_it(order: Desk) -> None:
    await order.happen(shop("1001"), shop("1001", "123"), courier("123"))
    (claiming,) = await order.column(
        "SELECT id FROM events WHERE source = 'shop' AND details ? 'aliases'"
    )
    async with pool.transaction(order.db) as tx:
        rows = await subjects.lock_present(tx, [Subject("order", "", "1001")])
        await tx.execute(
            "INSERT INTO rollbacks (event_id, subject_id, reason, actor)"
            " SELECT $1, id, 'wrong', 'anna' FROM subjects",
            claiming,
        )
        await refold.refold(tx, list(rows.values()), rules=RULES, because=[claiming])
    await order.settle()
    assert {"accepted": 3, "applied": 1, "revoked": 1, "waiting": 1} == await order.outcomes()
    assert {"1001": "paid"} == await order.statuses()
    assert [0] == await order.column("SELECT count(*) FROM aliases WHERE revoked_at IS NULL")


async def test_a_deadline_is_what_the_rules_say(database: str) -> None:
    async with desk(database, rules=replace(RULES, deadline=timedelta(hours=1))) as made:
        await made.happen(courier("123"))
        assert [True] == await made.column(
            "SELECT deadline_at < now() + interval '1 h' FROM waiting"
        )
