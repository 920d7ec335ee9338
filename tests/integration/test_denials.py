"""What an operator takes back stays taken back, whoever says it again, until one lifts that."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.domain.events import Subject
from service.domain.lifecycles import LIFECYCLES
from service.ops import dossiers, names
from service.ops.decisions import Hand
from tests import make
from tests.folding import RULES, Desk, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres

FIRST, SECOND = Subject("order", "", "1001"), Subject("order", "", "1002")


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


@pytest.fixture
def anna(order: Desk) -> Hand:
    return Hand(order.db, RULES, "anna")


async def alias(order: Desk, name: Subject = FIRST) -> Any:
    page = await dossiers.read(order.db, name, lifecycles=LIFECYCLES)
    assert page is not None
    (found,) = page["aliases"]
    return found


async def test_a_source_does_not_bring_back_what_an_operator_took_from_it(
    order: Desk, anna: Hand
) -> None:
    await order.happen(shop("1001", "123"))
    page = await names.unlink(anna, FIRST, tracking("123"))
    assert (
        "no longer called tracking:cdek=123; no source brings that back"
        == (page["history"][-1]["reason"])
    )
    await order.happen(
        shop("1001", "123", status="refunded", occurred_at=make.at(2)),
        shop("1001", "123", source="wms", lane="fulfillment", status="packed"),
        courier("123"),
    )
    assert {"1001": "refunded"} == await order.statuses()
    assert {"accepted": 4, "applied": 3, "waiting": 1} == await order.outcomes()
    shown = await alias(order)
    assert ("anna", [], False, 1) == (
        shown["denied"]["actor"],
        shown["claims"],
        shown["leads_here"],
        shown["waiting"],
    )


async def test_an_operator_lifts_the_denial_and_who_waited_goes_on(order: Desk, anna: Hand) -> None:
    await order.happen(shop("1001", "123"))
    await names.unlink(anna, FIRST, tracking("123"))
    await order.happen(courier("123"))
    await names.link(anna, FIRST, tracking("123"))
    await order.settle()
    assert {"1001": "delivered"} == await order.statuses()
    shown = await alias(order)
    assert (None, True, ["anna", "cdek"]) == (
        shown["denied"],
        shown["leads_here"],
        [each["claimant"] for each in shown["claims"]],
    )
    await order.happen(shop("1001", "123", attributes={"vip": True}, occurred_at=make.at(3)))
    assert ["anna", "cdek", "shop"] == [each["claimant"] for each in (await alias(order))["claims"]]


async def test_what_only_operators_said_is_undone_and_not_denied(order: Desk, anna: Hand) -> None:
    await order.happen(shop("1001"))
    await names.link(anna, FIRST, tracking("123"))
    await order.happen(courier("123"))
    assert {"1001": "delivered"} == await order.statuses()
    page = await names.unlink(anna, FIRST, tracking("123"))
    assert "no longer called tracking:cdek=123" == page["history"][-1]["reason"]
    assert ("paid", []) == (page["status"], page["aliases"])
    await order.happen(shop("1001", "123", occurred_at=make.at(2)))
    assert {"1001": "delivered"} == await order.statuses()


async def test_a_name_denied_of_one_subject_is_free_for_another(order: Desk, anna: Hand) -> None:
    await order.happen(shop("1001", "123"), shop("1002"), courier("123"))
    assert {"1001": "delivered", "1002": "paid"} == await order.statuses()
    await names.unlink(anna, FIRST, tracking("123"))
    await order.happen(
        shop("1001", "123", attributes={"vip": True}, occurred_at=make.at(2)),
        shop("1002", "123", attributes={"vip": True}, occurred_at=make.at(2)),
    )
    assert {"1001": "paid", "1002": "delivered"} == await order.statuses()
    shown = await alias(order, SECOND)
    assert (None, True, False) == (shown["denied"], shown["leads_here"], shown["conflict"])


async def test_a_guest_that_came_by_another_name_does_not_speak_the_denied_one(
    order: Desk, anna: Hand
) -> None:
    await order.happen(shop("1001", "123"))
    await names.unlink(anna, FIRST, tracking("123"))
    both = courier("9", aliases=(tracking("9"), tracking("123")))
    await order.happen(shop("1001", "9", occurred_at=make.at(2)), both, courier("123"))
    assert {"accepted": 4, "applied": 3, "waiting": 1} == await order.outcomes()


async def test_merging_two_lifts_what_was_denied_of_one_and_is_the_others(
    order: Desk, anna: Hand
) -> None:
    await order.happen(shop("1001", "123"), shop("1002"))
    await names.unlink(anna, FIRST, tracking("123"))
    await order.happen(shop("1002", "123", occurred_at=make.at(2)), courier("123"))
    page = await names.merge(anna, FIRST, [SECOND], reason="One parcel, one order.")
    assert ("delivered", [None]) == (page["status"], [each["denied"] for each in page["aliases"]])
    assert "anna merged order/1001 into it: One parcel, one order." == await order.one(
        "SELECT cause FROM transitions WHERE cause <> '' ORDER BY id DESC LIMIT 1"
    )


async def test_a_merge_keeps_a_denial_that_nothing_contradicts(order: Desk, anna: Hand) -> None:
    await order.happen(shop("1001", "123"), shop("1002"))
    await names.unlink(anna, FIRST, tracking("123"))
    await names.merge(anna, FIRST, [SECOND], reason="Ordered twice.")
    await order.happen(shop("1002", "123", occurred_at=make.at(2)), courier("123"))
    assert {"1002": "paid"} == await order.statuses()
    assert "anna" == (await alias(order, SECOND))["denied"]["actor"]
