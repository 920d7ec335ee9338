"""The order lifecycle says what the design says; the others hang together."""

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from service.domain.flaws import validate
from service.domain.lifecycle import Lifecycle, Settlement, alarms, fingerprint, overall
from service.domain.lifecycles import LIFECYCLES

ORDER = LIFECYCLES["order"]


def test_every_shipped_lifecycle_validates_under_its_own_name() -> None:
    assert {name: [] for name in LIFECYCLES} == {
        name: validate(lifecycle) for name, lifecycle in LIFECYCLES.items()
    }
    assert list(LIFECYCLES) == [lifecycle.name for lifecycle in LIFECYCLES.values()]


@pytest.mark.parametrize(
    ("lane", "status", "exits"),
    [
        (
            "payment",
            "awaiting_payment",
            "authorized failed cancelled paid partially_refunded chargeback refunded",
        ),
        ("payment", "cancelled", "authorized paid"),
        ("payment", "paid", "partially_refunded chargeback refunded"),
        ("payment", "chargeback", "paid refunded"),
        ("payment", "refunded", "chargeback"),
        ("fulfillment", "packed", "partially_shipped shipped cancelled returned_to_stock"),
        ("fulfillment", "shipped", "cancelled returned_to_stock"),
        ("fulfillment", "cancelled", "picking packed shipped"),
        ("fulfillment", "returned_to_stock", ""),
        (
            "delivery",
            "lost",
            (
                "label_created picked_up in_transit ready_for_pickup out_for_delivery"
                " delivery_failed returning delivered returned_to_sender"
            ),
        ),
        ("delivery", "returning", "in_transit lost returned_to_sender"),
        ("delivery", "delivered", "returning returned_to_sender"),
        ("delivery", "returned_to_sender", ""),
        ("order", "confirmed", "new completed cancelled"),
        ("order", "completed", "cancelled"),
        ("order", "cancelled", ""),
    ],
)
def test_a_status_exits_where_the_design_says(lane: str, status: str, exits: str) -> None:
    assert set(exits.split()) == ORDER.lanes[lane].statuses[status].exits


def test_find_answers_none_for_what_the_lifecycle_does_not_know() -> None:
    assert ORDER.find("payment", "paid") == ORDER.lanes["payment"].statuses["paid"]
    unknown = [(None, "paid"), ("payment", None), ("weather", "rain"), ("payment", "shipped")]
    assert [None] * 4 == [ORDER.find(lane, status) for lane, status in unknown]


@pytest.mark.parametrize(
    ("lanes", "status"),
    [
        ("", "new"),
        ("order.new fulfillment.new delivery.label_created", "new"),
        ("payment.awaiting_payment", "awaiting_payment"),
        ("payment.authorized order.confirmed", "awaiting_payment"),
        ("payment.paid", "paid"),
        ("payment.paid fulfillment.new", "paid"),
        ("payment.paid order.confirmed", "processing"),
        ("payment.paid order.confirmed fulfillment.picking", "picking"),
        ("payment.paid fulfillment.packed", "ready_to_ship"),
        ("payment.failed fulfillment.packed", "payment_failed"),
        ("payment.cancelled", "payment_failed"),
        ("payment.failed fulfillment.shipped", "shipped"),
        ("fulfillment.partially_shipped", "shipped"),
        ("fulfillment.shipped delivery.label_created", "shipped"),
        ("fulfillment.shipped delivery.picked_up", "in_transit"),
        ("delivery.in_transit", "in_transit"),
        ("delivery.ready_for_pickup", "ready_for_pickup"),
        ("delivery.out_for_delivery", "out_for_delivery"),
        ("delivery.delivered", "delivered"),
        ("delivery.delivered order.completed", "completed"),
        ("delivery.lost order.completed", "delivery_problem"),
        ("delivery.delivery_failed", "delivery_problem"),
        ("delivery.returning order.cancelled", "returning"),
        ("delivery.returned_to_sender", "returned"),
        ("fulfillment.returned_to_stock payment.paid", "returned"),
        ("payment.refunded delivery.returned_to_sender", "refunded"),
        ("payment.chargeback order.completed", "refunded"),
    ],
)
def test_the_first_rule_that_holds_gives_the_overall_status(lanes: str, status: str) -> None:
    assert status == overall(ORDER, dict(name.split(".") for name in lanes.split()))


@pytest.mark.parametrize(
    ("lanes", "status"),
    [
        ("order.cancelled payment.paid", "cancelled"),
        ("fulfillment.cancelled order.completed", "cancelled"),
        ("order.cancelled fulfillment.packed", "cancelled"),
        ("order.cancelled delivery.label_created", "cancelled"),
        ("order.cancelled fulfillment.shipped", "shipped"),
        ("order.cancelled fulfillment.partially_shipped", "shipped"),
        ("fulfillment.cancelled delivery.in_transit", "in_transit"),
        ("order.cancelled delivery.lost", "delivery_problem"),
    ],
)
def test_cancelled_counts_only_while_nothing_was_shipped(lanes: str, status: str) -> None:
    assert status == overall(ORDER, dict(name.split(".") for name in lanes.split()))


every = pytest.mark.parametrize("lifecycle", LIFECYCLES.values(), ids=lambda each: each.name)


@every
def test_overall_is_total_and_reaches_each_of_its_statuses(lifecycle: Lifecycle) -> None:
    assert set(lifecycle.overall_statuses) == {
        overall(lifecycle, lanes) for lanes in situations(lifecycle)
    }


@every
def test_every_alarm_is_raised_by_some_situation_and_none_by_nothing(lifecycle: Lifecycle) -> None:
    raised = {alarm.flag for lanes in situations(lifecycle) for alarm in alarms(lifecycle, lanes)}
    assert {alarm.flag for alarm in lifecycle.alarms} == raised
    assert [] == alarms(lifecycle, {})


@every
def test_no_alarm_is_raised_by_one_lane_alone(lifecycle: Lifecycle) -> None:
    alone = [{lane.name: status} for lane in lifecycle.lanes.values() for status in lane.statuses]
    assert [] == [alarm.flag for lanes in alone for alarm in alarms(lifecycle, lanes)]


@every
def test_names_are_plain_words(lifecycle: Lifecycle) -> None:
    statuses = [status for lane in lifecycle.lanes.values() for status in lane.statuses]
    flags = [alarm.flag for alarm in lifecycle.alarms]
    names = [lifecycle.name, *lifecycle.lanes, *statuses, *flags, *lifecycle.overall_statuses]
    assert [] == [name for name in names if re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name) is None]


def situations(lifecycle: Lifecycle) -> Iterator[dict[str, str]]:
    """Every combination of lane statuses there can be."""
    for pick in product(*(["", *lane.statuses] for lane in lifecycle.lanes.values())):
        yield {lane: word for lane, word in zip(lifecycle.lanes, pick, strict=True) if word}


def test_the_eleven_lifecycles_of_the_design_are_there() -> None:
    design = (
        "order return invoice ticket service_order purchase_order production_order"
        " approval task quality_case product"
    )
    assert design.split() == list(LIFECYCLES)


def test_an_order_knows_what_parcels_and_refunds_do_to_it() -> None:
    assert ORDER.lanes["fulfillment"].partly == {"shipped": "partially_shipped"}
    backward = ORDER.lanes["delivery"].backward
    assert {"returning", "returned_to_sender"} == set(backward.values())
    assert "returned_to_sender" == backward["delivered"]
    assert "lost" not in backward
    assert "label_created" not in backward
    assert ORDER.lanes["payment"].settlement == Settlement(
        "refunded", "paid", "partially_refunded", "refunded", "paid"
    )


@pytest.mark.parametrize(
    ("lanes", "flags"),
    [
        ("delivery.delivered", ""),
        ("payment.paid fulfillment.shipped delivery.in_transit", ""),
        ("payment.authorized delivery.picked_up", ""),
        ("payment.awaiting_payment delivery.label_created", ""),
        ("payment.awaiting_payment fulfillment.partially_shipped", "shipped_unpaid"),
        ("payment.failed delivery.delivered", "shipped_unpaid"),
        ("payment.failed delivery.returning", ""),
        ("order.cancelled fulfillment.shipped", "shipped_cancelled"),
        ("order.cancelled payment.paid delivery.picked_up", "shipped_cancelled cancelled_paid"),
        ("order.cancelled payment.refunded delivery.returned_to_sender", ""),
        ("payment.refunded delivery.delivered", ""),
        ("payment.refunded delivery.in_transit", "shipped_refunded"),
        ("payment.paid fulfillment.cancelled delivery.delivered", "warehouse_cancelled"),
        ("fulfillment.packed delivery.delivered", "delivered_unshipped"),
        ("fulfillment.packed delivery.in_transit", ""),
        ("order.completed delivery.lost", "completed_undelivered"),
        ("order.completed delivery.lost payment.refunded", ""),
    ],
)
def test_an_order_is_flagged_when_its_lanes_contradict_each_other(lanes: str, flags: str) -> None:
    raised = alarms(ORDER, dict(name.split(".") for name in lanes.split()))
    assert flags.split() == [alarm.flag for alarm in raised]


def test_each_status_can_be_reached_from_another_or_only_begins_its_lane() -> None:
    begins = {
        f"{lane.name}.{name}"
        for lane in ORDER.lanes.values()
        for name in lane.statuses
        if not any(name in status.exits for status in lane.statuses.values())
    }
    assert {"fulfillment.new"} == begins


def test_a_fingerprint_is_of_all_that_a_lifecycle_says_and_of_nothing_else() -> None:
    payment = ORDER.lanes["payment"]
    freer = replace(payment.statuses["failed"], exits=frozenset({"paid"}))
    lane = replace(payment, statuses={**payment.statuses, "failed": freer})
    others = [
        replace(ORDER, otherwise="unknown"),
        replace(ORDER, rules=tuple(reversed(ORDER.rules))),
        replace(ORDER, alarms=()),
        replace(ORDER, lanes={**ORDER.lanes, "payment": lane}),
    ]
    assert len(others) + 1 == len({fingerprint(each) for each in [ORDER, *others]})
    turned = replace(ORDER, lanes=dict(reversed([*ORDER.lanes.items()])))
    assert fingerprint(ORDER) == fingerprint(turned) == fingerprint(replace(ORDER))
