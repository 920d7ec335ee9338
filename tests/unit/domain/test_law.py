"""The law sentence by sentence: one lane, attributes, what is ruled, and going on from a state."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import orjson
import pytest

from service.domain.events import Alias, Event, Money, Outcome
from service.domain.law import Folded, State, advance, fold
from service.domain.lifecycles import ORDER
from tests import make

TRACKING = Alias("tracking:cdek", "1234")
APPLIED, SUPERSEDED, IGNORED = Outcome.APPLIED, Outcome.SUPERSEDED, Outcome.IGNORED


def told(*steps: str, lane: str = "fulfillment") -> list[Event]:
    """Events of one lane a minute apart, in the order of their times."""
    return [
        make.event(lane=lane, status=status, occurred_at=make.at(minute))
        for minute, status in enumerate(steps)
    ]


def outcomes(events: Sequence[Event]) -> list[Outcome]:
    folded = fold(ORDER, events)
    return [folded.outcomes[event.id].outcome for event in events]


def reasons(events: Sequence[Event]) -> list[str]:
    folded = fold(ORDER, events)
    return [folded.outcomes[event.id].reason for event in events]


def lanes(events: Sequence[Event]) -> dict[str, str]:
    return fold(ORDER, events).state.lanes_view


def ahead(*batches: Sequence[Event]) -> State:
    """Go on from batch to batch; a refold is a failure."""
    state = State.empty()
    for batch in batches:
        advanced = advance(ORDER, state, batch)
        assert advanced is not None
        state = advanced.state
    return state


# --- the walk over timed events ---


def test_any_status_may_begin_a_lane() -> None:
    assert {"delivery": "delivered"} == lanes(told("delivered", lane="delivery"))


def test_lanes_are_independent() -> None:
    events = [*told("paid", lane="payment"), *told("picking"), *told("confirmed", lane="order")]
    assert {"fulfillment": "picking", "order": "confirmed", "payment": "paid"} == lanes(events)


def test_the_walk_follows_the_senders_clocks_not_the_arrival() -> None:
    events = told("picking", "packed", "shipped")
    assert {"fulfillment": "shipped"} == lanes(events[::-1])
    assert [APPLIED] * 3 == outcomes(events[::-1])


def test_the_receiving_time_plays_no_part() -> None:
    events = told("picking", "packed", "shipped")
    late = [replace(each, received_at=make.at(-n)) for n, each in enumerate(events)]
    assert fold(ORDER, events) == fold(ORDER, late)


def test_a_status_outside_the_exits_of_the_current_one_is_superseded() -> None:
    events = told("shipped", "picking")
    assert {"fulfillment": "shipped"} == lanes(events)
    assert [APPLIED, SUPERSEDED] == outcomes(events)


def test_a_final_status_is_left_by_nothing() -> None:
    events = told("returned_to_stock", "shipped", "cancelled")
    assert [APPLIED, SUPERSEDED, SUPERSEDED] == outcomes(events)


def test_an_event_that_repeats_the_status_is_applied() -> None:
    events = told("in_transit", "in_transit", lane="delivery")
    assert [APPLIED, APPLIED] == outcomes(events)
    assert {"delivery": "in_transit"} == lanes(events)


def test_a_walk_may_fall_in_rank_where_the_exits_allow_it() -> None:
    events = told("chargeback", "paid", lane="payment")
    assert {"payment": "paid"} == lanes(events)


def test_at_one_moment_the_lower_rank_walks_first() -> None:
    events = [make.event(lane="fulfillment", status=each) for each in ("packed", "picking")]
    assert {"fulfillment": "packed"} == lanes(events)
    assert [APPLIED, APPLIED] == outcomes(events)


def test_at_one_moment_and_rank_source_and_then_key_decide() -> None:
    def amount(value: str, *, source: str, key: str) -> Event:
        return make.event(source=source, dedupe_key=key, attributes={"amount": value})

    events = [amount("3", source="b", key="2"), amount("2", source="b", key="1")]
    assert {"amount": "3"} == fold(ORDER, events).state.attributes_view
    events = [*events, amount("1", source="a", key="9")]
    assert {"amount": "3"} == fold(ORDER, events).state.attributes_view


def test_microseconds_count() -> None:
    first = make.event(status="chargeback", occurred_at=make.at(0))
    later = make.event(status="paid", occurred_at=make.at(0).replace(microsecond=1))
    assert {"payment": "paid"} == lanes([later, first])


# --- untimed events ---


def test_untimed_events_run_after_all_timed_ones() -> None:
    untimed = make.event(lane="fulfillment", status="packed", occurred_at=None)
    assert {"fulfillment": "packed"} == lanes([untimed, *told("new", "picking")])


def test_untimed_events_climb_by_rank() -> None:
    events = [
        make.event(lane="fulfillment", status=status, occurred_at=None)
        for status in ("shipped", "new", "packed")
    ]
    assert {"fulfillment": "shipped"} == lanes(events)
    assert [APPLIED] * 3 == outcomes(events)


def test_an_untimed_event_never_lowers_the_rank_even_where_the_exits_would() -> None:
    events = [
        *told("chargeback", lane="payment"),
        make.event(status="paid", occurred_at=None),
        make.event(status="chargeback", occurred_at=None),
    ]
    assert {"payment": "chargeback"} == lanes(events)
    assert [APPLIED, SUPERSEDED, SUPERSEDED] == outcomes(events)


def test_an_untimed_event_needs_the_exits_too() -> None:
    events = [
        *told("cancelled", lane="payment"),
        make.event(status="refunded", occurred_at=None),
    ]
    assert [APPLIED, SUPERSEDED] == outcomes(events)


# --- attributes ---


def test_the_attribute_said_last_by_its_senders_clock_holds() -> None:
    events = [
        make.event(occurred_at=make.at(2), attributes={"carrier": "dpd", "vip": True}),
        make.event(occurred_at=make.at(1), attributes={"carrier": "cdek", "amount": "10.00"}),
    ]
    expected = {"amount": "10.00", "carrier": "dpd", "vip": True}
    assert expected == fold(ORDER, events).state.attributes_view


def test_a_superseded_status_does_not_silence_the_attributes_beside_it() -> None:
    events = told("shipped", "picking")
    events[1] = replace(events[1], statement=replace(events[1].statement, attributes={"bin": "A7"}))
    assert [APPLIED, SUPERSEDED] == outcomes(events)
    assert {"bin": "A7"} == fold(ORDER, events).state.attributes_view


def test_an_event_of_attributes_alone_is_applied_even_when_overruled() -> None:
    events = [
        make.event(lane=None, status=None, occurred_at=make.at(n), attributes={"vip": n == 0})
        for n in range(2)
    ]
    assert [APPLIED, APPLIED] == outcomes(events)
    assert {"vip": False} == fold(ORDER, events).state.attributes_view


# --- what the lifecycle does not know ---


@pytest.mark.parametrize(
    ("lane", "status"), [("payment", "eaten"), ("weather", "rain"), (None, "paid")]
)
def test_an_unknown_status_is_ignored_and_folds_nothing(lane: str | None, status: str) -> None:
    odd = make.event(lane=lane, status=status, attributes={"vip": True})
    folded = fold(ORDER, [odd])
    assert State.empty() == folded.state
    assert IGNORED is folded.outcomes[odd.id].outcome
    assert Folded(folded.state, folded.outcomes) == advance(ORDER, State.empty(), [odd])


# --- reasons ---


def test_each_ruling_says_why_in_a_sentence() -> None:
    events = [
        *told("picking", "shipped", "shipped", "picking"),
        make.event(lane="fulfillment", status="packed", occurred_at=None),
        make.event(lane="fulfillment", status="shipped", occurred_at=None),
        make.event(lane=None, status=None, attributes={"vip": True}),
        make.event(lane=None, status=None, money=(Money("paid", "1"),), aliases=(TRACKING,)),
        make.event(lane=None, status=None),
        make.event(lane="fulfillment", status="lunch"),
    ]
    assert [
        "picking is the first in the fulfillment lane",
        "shipped follows picking in the fulfillment lane",
        "shipped repeats the status of the fulfillment lane",
        "picking cannot follow shipped in the fulfillment lane",
        "packed came without a time and does not rank above shipped in the fulfillment lane",
        "shipped came without a time and does not rank above shipped in the fulfillment lane",
        "carries attributes only",
        "carries money and other names only",
        "carries nothing to fold",
        "the lifecycle order has no status fulfillment.lunch",
    ] == reasons(events)


# --- going on from a state ---


def test_an_event_that_sorts_last_advances_the_state() -> None:
    picking, packed, shipped = told("picking", "packed", "shipped")
    advanced = advance(ORDER, fold(ORDER, [picking]).state, [shipped, packed])
    assert advanced is not None
    assert fold(ORDER, [picking, packed, shipped]).state == advanced.state
    assert {packed.id, shipped.id} == set(advanced.outcomes)


def test_an_event_that_sorts_before_the_last_one_needs_a_refold() -> None:
    picking, packed = told("picking", "packed")
    assert advance(ORDER, fold(ORDER, [packed]).state, [picking]) is None


def test_one_late_event_in_a_batch_is_enough_for_a_refold() -> None:
    picking, packed, shipped = told("picking", "packed", "shipped")
    assert advance(ORDER, fold(ORDER, [packed]).state, [shipped, picking]) is None


def test_an_event_that_is_already_folded_needs_a_refold() -> None:
    (picking,) = told("picking")
    assert advance(ORDER, fold(ORDER, [picking]).state, [picking]) is None


def test_an_untimed_event_follows_all_timed_ones() -> None:
    untimed = make.event(lane="fulfillment", status="packed", occurred_at=None)
    advanced = advance(ORDER, fold(ORDER, told("picking")).state, [untimed])
    assert advanced is not None
    assert {"fulfillment": "packed"} == advanced.state.lanes_view


def test_once_an_untimed_event_was_walked_a_timed_one_needs_a_refold() -> None:
    untimed = make.event(occurred_at=None)
    assert advance(ORDER, fold(ORDER, [untimed]).state, told("picking")) is None


def test_untimed_events_are_appended_in_their_own_order_only() -> None:
    new, picking = (
        make.event(lane="fulfillment", status=status, occurred_at=None)
        for status in ("new", "picking")
    )
    assert fold(ORDER, [new, picking]).state == ahead([new], [picking])
    assert advance(ORDER, fold(ORDER, [picking]).state, [new]) is None


def test_an_event_that_only_names_names_may_come_at_any_time() -> None:
    (picking,) = told("picking")
    early = make.event(lane=None, status=None, aliases=(TRACKING,), occurred_at=make.at(-9))
    assert fold(ORDER, [picking, early]).state == ahead([picking], [early])


def test_the_last_event_is_the_last_of_the_timed_ones() -> None:
    picking, packed = told("picking", "packed")
    untimed = make.event(occurred_at=None)
    state = fold(ORDER, [untimed, packed, picking]).state
    assert state.last is not None
    assert state.untimed is not None
    assert (packed.id, untimed.id) == (state.last.event_id, state.untimed.event_id)


def test_a_state_of_a_lifecycle_that_lost_a_status_needs_a_refold() -> None:
    state = fold(ORDER, told("new", lane="order")).state
    sale = replace(ORDER.lanes["order"], statuses={})
    assert advance(replace(ORDER, lanes={**ORDER.lanes, "order": sale}), state, []) is None
    assert advance(replace(ORDER, lanes={}), state, []) is None


def test_no_events_change_nothing() -> None:
    assert Folded(State.empty(), {}) == advance(ORDER, State.empty(), [])


# --- what is saved ---


def test_a_saved_state_holds_nothing_that_is_empty() -> None:
    assert {"strands": {}} == State.empty().to_json()
    assert State.empty() == State.from_json({"strands": {}})


def test_a_usual_state_is_small() -> None:
    events = [
        *told("awaiting_payment", "paid", lane="payment"),
        *told("picking", "packed", "shipped"),
        *told("in_transit", "delivered", lane="delivery"),
        *told("confirmed", lane="order"),
    ]
    assert len(orjson.dumps(fold(ORDER, events).state.to_json())) < 500


def test_a_state_of_the_first_law_can_still_be_shown() -> None:
    place = ["2026-02-01T10:00:00.000000+00:00", 30, "shop", "evt_1", str(UUID(int=1))]
    state = State.from_json(
        {
            "lanes": {"payment": {"status": "paid", "occurred_at": place[0], "event_id": place[4]}},
            "attributes": {"amount": {"value": "10.00", "place": place}},
            "last": place,
            "untimed": False,
        }
    )
    assert {"payment": "paid"} == state.lanes_view
    assert {"amount": "10.00"} == state.attributes_view
    assert {} == state.parcels_view
