"""The law sentence by sentence, and its promise: only the set of events counts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Event, Outcome
from service.domain.law import Folded, Ruling, State, advance, fold
from service.domain.lifecycles import ORDER
from tests import make

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


def test_an_event_that_repeats_the_status_is_applied_and_leaves_the_first_one_standing() -> None:
    events = told("in_transit", "in_transit", lane="delivery")
    assert [APPLIED, APPLIED] == outcomes(events)
    assert events[0].id == fold(ORDER, events).state.lanes["delivery"].event_id


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


def test_an_untimed_event_needs_a_refold_now_and_ever_after() -> None:
    untimed = make.event(occurred_at=None)
    assert advance(ORDER, State.empty(), [untimed]) is None
    assert advance(ORDER, fold(ORDER, [untimed]).state, told("picking")) is None


def test_the_last_event_is_the_last_of_the_timed_ones() -> None:
    picking, packed = told("picking", "packed")
    state = fold(ORDER, [make.event(occurred_at=None), packed, picking]).state
    assert state.last is not None
    assert (packed.id, True) == (state.last.event_id, state.untimed)


def test_no_events_change_nothing() -> None:
    assert Folded(State.empty(), {}) == advance(ORDER, State.empty(), [])


# --- as laws ---

# One whole lane and a little of all else, so that events meet often.
STATUSES = [
    *(("payment", status) for status in ORDER.lanes["payment"].statuses),
    *[("fulfillment", "picking"), ("fulfillment", "shipped"), (None, None), ("payment", "eaten")],
]
MOMENTS = [make.at(minute).replace(microsecond=minute) for minute in range(4)]


def histories(*, timed_only: bool = False) -> st.SearchStrategy[list[Event]]:
    """Draw sets of events with colliding times, ranks, sources and even keys."""
    times = st.sampled_from(MOMENTS)
    values = st.booleans() | st.sampled_from(["1.00", "2.00"])
    said = st.tuples(
        st.sampled_from(["shop", "wms"]),
        st.sampled_from(["evt-1", "evt-2", "evt-3"]),
        st.sampled_from(STATUSES),
        times if timed_only else times | st.none(),
        st.dictionaries(st.sampled_from(["vip", "amount"]), values),
    )
    return st.lists(said, max_size=8).map(_events)


def _events(drawn: Sequence[Any]) -> list[Event]:
    return [
        make.event(
            id=UUID(int=number),
            source=source,
            dedupe_key=key,
            lane=lane,
            status=status,
            occurred_at=occurred_at,
            attributes=attributes,
        )
        for number, (source, key, (lane, status), occurred_at, attributes) in enumerate(drawn)
    ]


@given(histories(), st.data())
def test_neither_order_nor_repetition_of_arrival_changes_anything(
    events: list[Event], data: st.DataObject
) -> None:
    again = data.draw(st.lists(st.sampled_from(events), max_size=5)) if events else []
    shuffled = data.draw(st.permutations([*events, *again]))
    assert fold(ORDER, events) == fold(ORDER, shuffled)


@given(histories())
def test_every_event_gets_exactly_one_ruling(events: list[Event]) -> None:
    assert {event.id for event in events} == set(fold(ORDER, events).outcomes)


def arrive(batches: Sequence[Sequence[Event]]) -> tuple[State, dict[UUID, Ruling], int]:
    """Do as a worker does: advance by each batch, refold everything when that cannot tell."""
    state, rulings, held, refolds = State.empty(), dict[UUID, Ruling](), list[Event](), 0
    for batch in batches:
        held += batch
        folded = advance(ORDER, state, batch)
        if folded is None:
            folded, refolds = fold(ORDER, held), refolds + 1
        state, rulings = folded.state, {**rulings, **folded.outcomes}
        state = State.from_json(orjson.loads(orjson.dumps(state.to_json())))
    return state, rulings, refolds


@st.composite
def splits(draw: st.DrawFn, events: Sequence[Event]) -> list[Sequence[Event]]:
    cuts = [place for place in range(1, len(events)) if draw(st.booleans())]
    return [events[start:end] for start, end in pairwise([0, *cuts, len(events)])]


@given(histories() | histories(timed_only=True), st.data())
def test_batches_in_any_order_end_where_the_whole_set_does(
    events: list[Event], data: st.DataObject
) -> None:
    state, rulings, _ = arrive(data.draw(splits(events)))
    folded = fold(ORDER, events)
    assert (folded.state, folded.outcomes) == (state, rulings)


@given(histories(timed_only=True), st.data())
def test_timed_batches_in_their_order_never_need_a_refold(
    events: list[Event], data: st.DataObject
) -> None:
    in_order = [next(e for e in events if e.id == id_) for id_ in fold(ORDER, events).outcomes]
    state, rulings, refolds = arrive(data.draw(splits(in_order)))
    folded = fold(ORDER, events)
    assert (folded.state, folded.outcomes, 0) == (state, rulings, refolds)


@given(histories())
def test_a_state_survives_json_exactly(events: list[Event]) -> None:
    state = fold(ORDER, events).state
    assert state == State.from_json(orjson.loads(orjson.dumps(state.to_json())))


@given(histories())
def test_a_lane_only_ever_stands_on_an_event_that_was_applied(events: list[Event]) -> None:
    folded = fold(ORDER, events)
    assert all(
        folded.outcomes[lane.event_id].outcome is APPLIED for lane in folded.state.lanes.values()
    )
