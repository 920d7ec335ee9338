"""Money folds exactly, by id or as a running total, the largest over the sources; lanes follow."""

from dataclasses import replace
from typing import Any

import pytest

from service.domain.events import AttributeValue, Event, Money, Revocation
from service.domain.law import State, advance, fold
from service.domain.lifecycles import ORDER
from tests import make


def paid(amount: str, currency: str = "EUR", **said: Any) -> Event:
    return tell(Money("paid", amount, currency), status="paid", **said)


def refund(amount: str, *, id: str | None = None, currency: str = "EUR", **said: Any) -> Event:  # noqa: A002
    """A word on money alone, unless a status is told."""
    return tell(Money("refunded", amount, currency, id), **said)


def tell(*money: Money, status: str | None = None, **said: Any) -> Event:
    return make.event(lane="payment" if status else None, status=status, money=money, **said)


def attributes(*events: Event) -> dict[str, AttributeValue]:
    return fold(ORDER, events).state.attributes_view


def lane(*events: Event) -> str | None:
    return fold(ORDER, events).state.lanes_view.get("payment")


# --- sums ---


def test_refunds_with_ids_add_up_exactly() -> None:
    expected = {"refunded_amount": "0.30", "refunded_currency": "EUR"}
    assert expected == attributes(refund("0.10", id="re-1"), refund("0.20", id="re-2"))


def test_the_last_word_on_an_id_counts() -> None:
    first = refund("10.00", id="re-1", occurred_at=make.at(1))
    last = refund("7.00", id="re-1", occurred_at=make.at(2))
    assert "7.00" == attributes(last, first)["refunded_amount"]


def test_running_totals_do_not_add_up() -> None:
    assert "30" == attributes(refund("10"), refund("30"), refund("20"))["refunded_amount"]


def test_where_a_source_gives_ids_its_totals_do_not_count() -> None:
    assert "5" == attributes(refund("5", id="re-1"), refund("50"))["refunded_amount"]


def test_several_sources_tell_of_the_same_money() -> None:
    told = attributes(
        refund("10", id="a", source="stripe"),
        refund("10", id="b", source="stripe"),
        refund("15", source="shop"),
    )
    assert "20" == told["refunded_amount"]


def test_money_without_a_currency_is_in_the_one_that_somebody_named() -> None:
    told = attributes(refund("10", currency="", source="erp"), refund("8", source="stripe"))
    assert {"refunded_amount": "10", "refunded_currency": "EUR"} == told


def test_a_word_without_a_currency_keeps_the_one_told_before() -> None:
    first = refund("10", id="re-1", currency="USD", occurred_at=make.at(1))
    other = refund("5", id="re-2", currency="EUR", occurred_at=make.at(1))
    last = refund("0", id="re-1", currency="", occurred_at=make.at(2))
    told = attributes(first, other, last)
    assert {"refunded_amount_usd": "0", "refunded_amount_eur": "5"} == told


def test_several_currencies_are_never_added() -> None:
    told = attributes(
        refund("10", id="1"), refund("9", id="2", currency="USD"), refund("1", currency="")
    )
    expected = {"refunded_amount_eur": "10", "refunded_amount_usd": "9", "refunded_amount": "1"}
    assert expected == told


def test_each_kind_has_its_own_sum() -> None:
    told = attributes(paid("100"), tell(Money("charged_back", "40", "EUR")))
    assert {"paid_amount": "100", "charged_back_amount": "40"}.items() <= told.items()


def test_of_equal_amounts_the_one_with_more_decimal_places_is_shown() -> None:
    assert "20.00" == attributes(refund("20"), refund("20.00"), refund("20.0"))["refunded_amount"]
    told = attributes(
        refund("20.0", source="a"), refund("20.00", source="b"), refund("20", source="c")
    )
    assert "20.00" == told["refunded_amount"]


def test_a_sum_outranks_an_attribute_of_its_name() -> None:
    said = make.event(attributes={"refunded_amount": "99"}, occurred_at=make.at(9))
    assert "10" == attributes(refund("10"), said)["refunded_amount"]


@pytest.mark.parametrize("amount", ["plenty", "-1", "1e9", "NaN", "", "1,5"])
def test_what_is_no_amount_says_nothing(amount: str) -> None:
    assert {} == attributes(refund(amount), refund(amount, id="re-1"))


def test_many_digits_are_never_rounded() -> None:
    told = attributes(refund("9" * 30, id="1"), refund("0." + "0" * 29 + "1", id="2"))
    assert "9" * 30 + "." + "0" * 29 + "1" == told["refunded_amount"]


# --- what sums say about the lane ---


def test_partial_refunds_that_reach_what_was_paid_are_a_whole_one() -> None:
    first = refund("40", id="re-1", status="partially_refunded")
    last = refund("60", id="re-2", status="partially_refunded")
    assert "partially_refunded" == lane(paid("100"), first)
    assert "refunded" == lane(paid("100"), first, last)


def test_the_amount_of_the_order_stands_for_what_was_paid_where_nobody_told_that() -> None:
    order = make.event(lane=None, status=None, attributes={"amount": "100"})
    whole = refund("100.00", id="re-1", status="partially_refunded")
    assert "partially_refunded" == lane(whole)
    assert "refunded" == lane(order, whole)


@pytest.mark.parametrize("amount", [True, "a lot"])
def test_an_amount_that_is_none_settles_nothing(amount: AttributeValue) -> None:
    order = make.event(lane=None, status=None, attributes={"amount": amount})
    assert "partially_refunded" == lane(order, refund("100", status="partially_refunded"))


def test_a_price_is_not_compared_with_several_currencies() -> None:
    order = make.event(lane=None, status=None, attributes={"amount": "10"})
    partly = refund("10", status="partially_refunded")
    assert "partially_refunded" == lane(order, partly, refund("10", currency="USD"))


def test_nothing_paid_is_never_paid_back() -> None:
    assert "partially_refunded" == lane(paid("0"), refund("0", status="partially_refunded"))


def test_a_refund_in_another_currency_covers_nothing() -> None:
    other = refund("100", currency="USD", status="partially_refunded")
    assert "partially_refunded" == lane(paid("100"), other)


def failing(*events: Event) -> str | None:
    """After the only refund failed."""
    return lane(*events, refund("0", id="re-1", currency="", occurred_at=make.at(9)))


@pytest.mark.parametrize("status", ["partially_refunded", "refunded"])
def test_a_refund_that_failed_after_all_restores_the_payment(status: str) -> None:
    assert "paid" == failing(paid("50"), refund("50", id="re-1", status=status))


def test_one_of_two_refunds_that_failed_leaves_the_other() -> None:
    first = refund("20", id="re-1", status="partially_refunded")
    assert "partially_refunded" == failing(
        paid("50"), first, refund("30", id="re-2", status="refunded")
    )


def test_a_second_try_that_brings_all_of_it_back_settles_it() -> None:
    again = refund("50", id="re-2", occurred_at=make.at(10))
    assert "refunded" == failing(paid("50"), refund("50", id="re-1", status="refunded"), again)


def test_where_nobody_told_what_was_paid_a_failed_refund_among_others_settles_nothing() -> None:
    assert "refunded" == failing(
        refund("20", id="re-2"), refund("30", id="re-1", status="refunded")
    )


def test_a_failed_refund_moves_no_other_status() -> None:
    assert "chargeback" == failing(tell(status="chargeback"), refund("5", id="re-1"))


def test_a_revoked_refund_is_no_refund() -> None:
    partly = refund("100", id="re-1", status="partially_refunded", dedupe_key="evt-r")
    taken = make.event(
        lane=None, status=None, revokes=Revocation("shop", "evt-r"), dedupe_key="evt-r:revoked"
    )
    assert "paid" == lane(paid("100"), partly, taken)
    assert "refunded_amount" not in attributes(paid("100"), partly, taken)


# --- going on from a state ---


def test_sums_go_on_from_a_saved_state() -> None:
    begun = [
        paid("100"),
        refund("40", id="re-1", status="partially_refunded", occurred_at=make.at(1)),
    ]
    last = refund("60.00", id="re-2", status="partially_refunded", occurred_at=make.at(2))
    state = State.from_json(fold(ORDER, begun).state.to_json())
    advanced = advance(ORDER, state, [last])
    assert advanced is not None
    assert fold(ORDER, [*begun, last]).state == advanced.state
    assert {"payment": "refunded"} == advanced.state.lanes_view


def test_a_lane_without_a_settlement_is_not_moved_by_money() -> None:
    plain = {name: replace(each, settlement=None) for name, each in ORDER.lanes.items()}
    whole = refund("100", status="partially_refunded")
    state = fold(replace(ORDER, lanes=plain), [paid("100"), whole]).state
    assert {"payment": "partially_refunded"} == state.lanes_view
