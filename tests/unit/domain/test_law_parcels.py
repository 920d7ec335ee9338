"""Parcels fold one by one, then into the lane; a parcel that goes back says little about it."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from service.domain.events import Event, Outcome
from service.domain.law import State, advance, fold
from service.domain.lifecycle import Lane, Lifecycle, Status
from service.domain.lifecycles import ORDER
from tests import make

APPLIED, SUPERSEDED = Outcome.APPLIED, Outcome.SUPERSEDED


def told(*words: str, lane: str = "delivery", returns: str = "") -> list[Event]:
    """`A:delivered` is said of parcel A, `delivered` of the whole; each a minute later."""
    return [
        make.event(
            lane=lane,
            status=word.rpartition(":")[2],
            parcel=word.rpartition(":")[0] or None,
            returns=word.startswith(f"{returns}:") and bool(returns),
            occurred_at=make.at(minute),
        )
        for minute, word in enumerate(words)
    ]


def shown(events: Sequence[Event], lifecycle: Lifecycle = ORDER) -> str | None:
    """The one lane that is spoken of."""
    lanes = fold(lifecycle, events).state.lanes_view
    assert len(lanes) <= 1
    return next(iter(lanes.values()), None)


def parcels(events: Sequence[Event]) -> dict[str, dict[str, str]]:
    return fold(ORDER, events).state.parcels_view


# --- parcels on their way out ---


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("A:delivered B:delivered", "delivered"),
        ("A:delivered B:in_transit", "in_transit"),
        ("A:delivered B:lost", "lost"),
        ("A:in_transit B:label_created C:delivered", "label_created"),
        ("in_transit A:delivered", "delivered"),
    ],
)
def test_a_lane_shows_its_least_advanced_parcel(words: str, status: str) -> None:
    assert status == shown(told(*words.split()))


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("A:shipped B:packed", "partially_shipped"),
        ("A:shipped B:shipped", "shipped"),
        ("A:packed B:picking", "picking"),
        ("A:returned_to_stock B:packed", "partially_shipped"),
        ("A:returned_to_stock B:shipped", "shipped"),
        ("A:cancelled B:picking", "picking"),
        ("A:cancelled B:shipped", "partially_shipped"),
    ],
)
def test_where_some_parcels_are_ahead_the_lane_has_a_word_for_it(words: str, status: str) -> None:
    assert status == shown(told(*words.split(), lane="fulfillment"))


def test_of_several_such_words_the_most_advanced_one_is_shown() -> None:
    names = ("new", "packed", "shipped", "some_packed", "some_shipped")
    lane = Lane(
        "fulfillment",
        {name: Status(name, rank, frozenset(names)) for rank, name in enumerate(names)},
        partly={"packed": "some_packed", "shipped": "some_shipped"},
    )
    statuses = {
        name: replace(each, exits=frozenset(names[rank + 1 :]))
        for rank, (name, each) in enumerate(lane.statuses.items())
    }
    lifecycle = replace(ORDER, lanes={"fulfillment": replace(lane, statuses=statuses)})
    events = told("A:new", "B:packed", lane="fulfillment")
    assert "some_packed" == shown(events, lifecycle)
    events += told("C:shipped", lane="fulfillment")
    assert "some_shipped" == shown(events, lifecycle)


def test_what_is_said_of_the_whole_is_said_of_every_parcel() -> None:
    events = told("A:picking", "B:packed", "shipped", lane="fulfillment")
    assert "shipped" == shown(events)
    assert {"A": {"fulfillment": "shipped"}, "B": {"fulfillment": "shipped"}} == parcels(events)


def test_a_parcel_named_late_has_come_as_far_as_the_whole() -> None:
    events = told("packed", "A:picking", lane="fulfillment")
    assert {"A": {"fulfillment": "packed"}} == parcels(events)
    assert SUPERSEDED is fold(ORDER, events).outcomes[events[1].id].outcome


def test_what_is_said_of_one_parcel_moves_no_other() -> None:
    events = told("A:in_transit", "B:in_transit", "A:delivered")
    assert {"A": {"delivery": "delivered"}, "B": {"delivery": "in_transit"}} == parcels(events)


def test_a_parcel_of_one_lane_is_none_of_another() -> None:
    events = [*told("A:shipped", lane="fulfillment"), *told("delivered")]
    assert {"A": {"fulfillment": "shipped"}} == parcels(events)
    expected = {"delivery": "delivered", "fulfillment": "shipped"}
    assert expected == fold(ORDER, events).state.lanes_view


def test_an_event_is_applied_if_one_of_its_strands_steps_on_it() -> None:
    events = told("delivered", "A:returned_to_sender", "returning", "delivered")
    outcomes = fold(ORDER, events).outcomes
    assert [APPLIED, APPLIED, APPLIED, SUPERSEDED] == [outcomes[e.id].outcome for e in events]


def test_a_ruling_names_the_parcel_it_is_about() -> None:
    events = told("A:in_transit", "delivered", "B:returning", "A:in_transit", "returned_to_sender")
    events += [make.event(lane="delivery", status="lost", parcel="A", occurred_at=None)]
    outcomes = fold(ORDER, events).outcomes
    assert [
        "in_transit is the first in the delivery lane for parcel A",
        "delivered is the first in the delivery lane",
        "returning follows delivered in the delivery lane for parcel B",
        "in_transit cannot follow delivered in the delivery lane for parcel A",
        "returned_to_sender follows delivered in the delivery lane",
        (
            "lost came without a time and does not rank above returned_to_sender"
            " in the delivery lane for parcel A"
        ),
    ] == [outcomes[event.id].reason for event in events]


def test_where_only_a_parcel_steps_the_ruling_says_which() -> None:
    events = told("delivered", "A:returning", "B:returning", "lost")
    assert (
        "lost follows returning in the delivery lane for parcel A"
        == fold(ORDER, events).outcomes[events[3].id].reason
    )


# --- parcels on their way back ---


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ("R:in_transit", "returning"),
        ("delivered R:label_created", "delivered"),
        ("delivered R:in_transit", "returning"),
        ("delivered R:lost", "delivered"),
        ("delivered R:delivered", "returned_to_sender"),
        ("A:delivered B:delivered R:out_for_delivery", "returning"),
        ("returned_to_sender R:in_transit", "returned_to_sender"),
        ("in_transit R:in_transit delivered", "returning"),
    ],
)
def test_a_return_moves_the_lane_only_to_what_it_means(words: str, status: str) -> None:
    assert status == shown(told(*words.split(), returns="R"))


def test_a_return_label_alone_says_nothing() -> None:
    events = told("R:label_created", returns="R")
    assert shown(events) is None
    assert {"R": {"delivery": "label_created"}} == parcels(events)


def test_of_two_returns_the_last_one_tells_how_far_the_return_has_come() -> None:
    events = told("delivered", "R:delivered", returns="R") + told("Q:picked_up", returns="Q")
    assert "returning" == shown(events)


def test_what_is_said_of_the_whole_is_not_said_of_a_return() -> None:
    events = told("R:in_transit", "delivered", returns="R")
    assert {"R": {"delivery": "in_transit"}} == parcels(events)
    assert "returning" == shown(events)


def test_one_event_is_enough_to_tell_that_a_parcel_goes_back() -> None:
    events = told("in_transit", "R:picked_up", "delivered", "R:in_transit")
    label = make.event(lane=None, status=None, parcel="R", returns=True, occurred_at=make.at(9))
    assert "delivered" == shown(events)
    assert "returning" == shown([*events, label])
    assert frozenset({"R"}) == fold(ORDER, [*events, label]).state.returns


# --- going on from a state ---


def test_a_parcel_that_turns_out_to_go_back_needs_a_refold() -> None:
    state = fold(ORDER, told("in_transit", "R:picked_up")).state
    late = make.event(lane=None, status=None, parcel="R", returns=True, occurred_at=make.at(9))
    assert advance(ORDER, state, [late]) is None


def test_a_new_parcel_needs_no_refold_whichever_way_it_goes() -> None:
    events = told("delivered", "A:returning", "R:in_transit", returns="R")
    advanced = advance(ORDER, fold(ORDER, events[:1]).state, events[1:])
    assert advanced is not None
    assert fold(ORDER, events).state == advanced.state
    assert State.from_json(advanced.state.to_json()) == advanced.state
