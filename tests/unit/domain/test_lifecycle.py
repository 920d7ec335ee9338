"""The order lifecycle says what the design says, and flawed data is told apart."""

from dataclasses import replace
from itertools import product

import pytest

from service.domain.lifecycle import Lane, Lifecycle, Rule, Status, overall, validate
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


def test_overall_is_total_and_reaches_each_of_its_statuses() -> None:
    lanes = [["", *lane.statuses] for lane in ORDER.lanes.values()]
    seen = {
        overall(
            ORDER, {lane: status for lane, status in zip(ORDER.lanes, pick, strict=True) if status}
        )
        for pick in product(*lanes)
    }
    assert set(ORDER.overall_statuses) == seen


def test_each_status_can_be_reached_from_another_or_only_begins_its_lane() -> None:
    begins = {
        f"{lane.name}.{name}"
        for lane in ORDER.lanes.values()
        for name in lane.statuses
        if not any(name in status.exits for status in lane.statuses.values())
    }
    assert {"fulfillment.new"} == begins


def lamp(**overrides: object) -> Lifecycle:
    statuses = {"on": Status("on", 10, frozenset({"off"})), "off": Status("off", 20, frozenset())}
    good = Lifecycle(
        name="lamp",
        lanes={"light": Lane("light", statuses)},
        rules=(Rule((frozenset({"light.on"}),), "bright"),),
        otherwise="dark",
    )
    return replace(good, **overrides)  # type: ignore[arg-type]


def test_sound_data_has_no_flaws() -> None:
    assert [] == validate(lamp())


def test_two_statuses_of_one_rank_are_a_flaw() -> None:
    twins = {name: Status(name, 10, frozenset()) for name in ("on", "off")}
    assert ["lane light: rank 10 is used more than once"] == validate(
        lamp(lanes={"light": Lane("light", twins)})
    )


def test_an_exit_to_an_unknown_status_is_a_flaw() -> None:
    broken = {"on": Status("on", 10, frozenset({"broken"}))}
    assert ["lane light: on exits to broken, which it does not have"] == validate(
        lamp(lanes={"light": Lane("light", broken)})
    )


def test_rules_that_name_nothing_or_nobody_are_flaws() -> None:
    rules = (
        Rule((frozenset({"light.on"}),), ""),
        Rule((frozenset({"light.off"}),), "gone", unless=frozenset({"door.open"})),
    )
    assert [
        "rule 1 gives no status",
        "rule 2 (gone) names door.open, which no lane has",
        "the status for when no rule holds is empty",
    ] == validate(lamp(rules=rules, otherwise=""))


def test_a_rule_behind_one_that_always_wins_is_a_flaw() -> None:
    rules = (
        Rule((frozenset({"light.on", "light.off"}),), "present"),
        Rule((frozenset({"light.off"}),), "off"),
    )
    assert ["rule 2 (off) can never be the first to hold"] == validate(lamp(rules=rules))
