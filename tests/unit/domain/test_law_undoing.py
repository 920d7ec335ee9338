"""What is taken back and what operators decide: revocations, roll-backs, pins."""

from collections.abc import Sequence
from typing import Any

from service.domain.events import Event, Outcome, Revocation
from service.domain.law import Folded, Pin, State, advance, fold
from service.domain.lifecycle import alarms
from service.domain.lifecycles import ORDER
from tests import make

APPLIED, SUPERSEDED, REVOKED, IGNORED = (
    Outcome.APPLIED,
    Outcome.SUPERSEDED,
    Outcome.REVOKED,
    Outcome.IGNORED,
)


def scan(key: str, status: str, minute: float = 0, **said: Any) -> Event:
    return make.event(
        source="cdek",
        dedupe_key=key,
        lane="delivery",
        status=status,
        occurred_at=make.at(minute),
        **said,
    )


def revocation(key: str, *, of: str = "cdek", **said: Any) -> Event:
    told = {"lane": None, "status": None, "dedupe_key": f"{key}:revoked", **said}
    return make.event(source="cdek", revokes=Revocation(of, key), **told)


def rulings(folded: Folded, events: Sequence[Event]) -> list[Outcome]:
    return [folded.outcomes[event.id].outcome for event in events]


ON_THE_WAY = scan("s-1", "in_transit", 1)
DELIVERED = scan("s-2", "delivered", 2, attributes={"signed_by": "Petrova"})


# --- revocations ---


def test_a_revoked_event_was_never_said() -> None:
    events = [ON_THE_WAY, DELIVERED, revocation("s-2")]
    folded = fold(ORDER, events)
    assert {"delivery": "in_transit"} == folded.state.lanes_view
    assert {} == folded.state.attributes_view
    assert [APPLIED, REVOKED, APPLIED] == rulings(folded, events)
    assert [
        "in_transit is the first in the delivery lane",
        "its sender took it back",
        "takes back s-2 of cdek",
    ] == [folded.outcomes[event.id].reason for event in events]


def test_a_revocation_that_comes_first_needs_no_refold_afterwards() -> None:
    state = fold(ORDER, [ON_THE_WAY, revocation("s-2")]).state
    advanced = advance(ORDER, State.from_json(state.to_json()), [DELIVERED])
    assert advanced is not None
    assert state == advanced.state
    assert [REVOKED] == rulings(advanced, [DELIVERED])


def test_a_revocation_may_name_what_was_folded_and_needs_a_refold() -> None:
    assert advance(ORDER, fold(ORDER, [ON_THE_WAY]).state, [revocation("s-2")]) is None


def test_a_revocation_told_twice_does_not() -> None:
    state = fold(ORDER, [ON_THE_WAY, revocation("s-2")]).state
    again = revocation("s-2", dedupe_key="s-2:again:revoked")
    advanced = advance(ORDER, state, [again])
    assert advanced is not None
    assert state == advanced.state


def test_a_key_is_its_sources_own() -> None:
    events = [DELIVERED, revocation("s-2", of="dpd")]
    assert [APPLIED, APPLIED] == rulings(fold(ORDER, events), events)


def test_a_revocation_cannot_be_revoked() -> None:
    events = [DELIVERED, revocation("s-2"), revocation("s-2:revoked")]
    assert [REVOKED, APPLIED, APPLIED] == rulings(fold(ORDER, events), events)


def test_a_revoked_parcel_is_no_parcel() -> None:
    parcel = scan("s-3", "in_transit", parcel="R", returns=True)
    state = fold(ORDER, [DELIVERED, parcel, revocation("s-3")]).state
    assert ({}, frozenset()) == (state.parcels_view, state.returns)


def test_a_revocation_is_applied_whatever_becomes_of_a_status_beside_it() -> None:
    late: dict[str, Any] = {"lane": "delivery", "status": "picked_up", "occurred_at": make.at(3)}
    odd: dict[str, Any] = {"lane": "weather", "status": "rain"}
    events = [DELIVERED, revocation("x", **late), revocation("y", **odd)]
    folded = fold(ORDER, events)
    assert [APPLIED] * 3 == rulings(folded, events)
    assert (
        "takes back x of cdek; picked_up cannot follow delivered in the delivery lane"
        == folded.outcomes[events[1].id].reason
    )
    assert {"delivery": "delivered"} == folded.state.lanes_view


# --- roll-backs ---


def test_an_event_that_an_operator_took_back_was_never_said() -> None:
    events = [ON_THE_WAY, DELIVERED]
    folded = fold(ORDER, events, rolled_back={DELIVERED.id})
    assert {"delivery": "in_transit"} == folded.state.lanes_view
    assert [APPLIED, REVOKED] == rulings(folded, events)
    assert "an operator took it back" == folded.outcomes[DELIVERED.id].reason


def test_an_event_may_be_taken_back_before_it_is_folded() -> None:
    state = fold(ORDER, [ON_THE_WAY], rolled_back={DELIVERED.id}).state
    advanced = advance(ORDER, State.from_json(state.to_json()), [DELIVERED])
    assert advanced is not None
    assert state == advanced.state


def test_an_operator_can_take_a_revocation_back() -> None:
    taken = revocation("s-2")
    events = [ON_THE_WAY, DELIVERED, taken]
    folded = fold(ORDER, events, rolled_back=[taken.id])
    assert {"delivery": "delivered"} == folded.state.lanes_view
    assert [APPLIED, APPLIED, REVOKED] == rulings(folded, events)


def test_what_nobody_understands_can_be_taken_back_too() -> None:
    odd = make.event(lane="weather", status="rain")
    assert [IGNORED] == rulings(fold(ORDER, [odd]), [odd])
    assert [REVOKED] == rulings(fold(ORDER, [odd], rolled_back=[odd.id]), [odd])


# --- pins ---


def test_a_pin_outranks_every_event() -> None:
    state = fold(ORDER, [DELIVERED], pins=[Pin(1, "delivery", "lost")]).state
    assert {"delivery": "lost"} == state.lanes_view


def test_of_several_pins_the_latest_holds_in_its_lane() -> None:
    pins = [Pin(9, "delivery", "lost"), Pin(4, "delivery", "returning"), Pin(2, "order", "new")]
    assert {"delivery": "lost", "order": "new"} == fold(ORDER, [], pins=pins).state.lanes_view


def test_the_walk_goes_on_under_a_pin() -> None:
    state = fold(ORDER, [ON_THE_WAY], pins=[Pin(1, "delivery", "lost")]).state
    advanced = advance(ORDER, State.from_json(state.to_json()), [DELIVERED])
    assert advanced is not None
    assert {"delivery": "lost"} == advanced.state.lanes_view
    assert {"delivery": "delivered"} == advanced.state.lanes
    assert {"delivery": "delivered"} == fold(ORDER, [ON_THE_WAY, DELIVERED]).state.lanes_view


def test_a_pin_that_the_lifecycle_does_not_know_holds_nothing() -> None:
    pins = [Pin(1, "delivery", "lost"), Pin(2, "delivery", "eaten"), Pin(3, "weather", "rain")]
    assert {"delivery": "lost"} == fold(ORDER, [], pins=pins).state.lanes_view


# --- alarms ---


def test_lanes_that_contradict_each_other_are_flagged() -> None:
    lanes = {"payment": "failed", "fulfillment": "shipped", "order": "cancelled"}
    flags = [alarm.flag for alarm in alarms(ORDER, lanes)]
    assert ["shipped_unpaid", "shipped_cancelled"] == flags
    assert [] == alarms(ORDER, {"payment": "paid", "fulfillment": "shipped"})
