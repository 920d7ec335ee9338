"""The law: the set of a subject's events comes in, its state and each event's outcome go out.

The timed events walk first, by their senders' clocks; the untimed ones follow and may only raise a
lane. Nothing here looks at when or in which order an event arrived.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.domain.events import AttributeValue, Event, Outcome, Statement
from service.domain.lifecycle import Lifecycle, Status

LAW = 1
"""Raise it with every change of this module or of a lifecycle that can change a folded state."""


class Place(NamedTuple):
    """Where an event stands in the one order of the law.

    (source, dedupe_key) is unique while keys are kept; the id settles what comes back later.
    """

    occurred_at: datetime | None
    rank: int
    source: str
    dedupe_key: str
    event_id: UUID


class Ruling(NamedTuple):
    """What became of an event, and why, as a sentence."""

    outcome: Outcome
    reason: str


@dataclass(frozen=True, slots=True)
class LaneState:
    """The status of a lane, and the first event of the walk that brought it there."""

    status: str
    occurred_at: datetime | None
    event_id: UUID


@dataclass(frozen=True, slots=True)
class AttributeState:
    """The value of an attribute, and the place of the event that said it last."""

    value: AttributeValue
    place: Place


@dataclass(frozen=True, slots=True)
class State:
    """All that must be remembered of folded events to go on from them."""

    lanes: Mapping[str, LaneState] = field(default_factory=dict)
    attributes: Mapping[str, AttributeState] = field(default_factory=dict)
    last: Place | None = None
    """Of all timed events the one that sorts last."""
    untimed: bool = False
    """Whether an untimed event was folded: it ran after `last`, so nothing may be appended."""

    @classmethod
    def empty(cls) -> "State":
        return cls()

    @property
    def lanes_view(self) -> dict[str, str]:
        return {name: lane.status for name, lane in sorted(self.lanes.items())}

    @property
    def attributes_view(self) -> dict[str, AttributeValue]:
        return {name: said.value for name, said in sorted(self.attributes.items())}

    def to_json(self) -> dict[str, object]:
        return {
            "lanes": {name: _lane_to_json(lane) for name, lane in sorted(self.lanes.items())},
            "attributes": {
                name: {"value": said.value, "place": _place_to_json(said.place)}
                for name, said in sorted(self.attributes.items())
            },
            "last": _place_to_json(self.last) if self.last else None,
            "untimed": self.untimed,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "State":
        return cls(
            lanes={name: _lane_from_json(lane) for name, lane in data["lanes"].items()},
            attributes={
                name: AttributeState(said["value"], _place_from_json(said["place"]))
                for name, said in data["attributes"].items()
            },
            last=_place_from_json(data["last"]) if data["last"] else None,
            untimed=data["untimed"],
        )


@dataclass(frozen=True, slots=True)
class Folded:
    """The state after the events, and the ruling on each event that was given."""

    state: State
    outcomes: Mapping[UUID, Ruling]


def fold(lifecycle: Lifecycle, events: Iterable[Event]) -> Folded:
    """Apply the law to all events of one subject whose fate is `fold`."""
    return _walk(lifecycle, State.empty(), events=events)


def advance(lifecycle: Lifecycle, state: State, events: Iterable[Event]) -> Folded | None:
    """Go on from `state` with events it does not hold; None when only a refold can tell.

    What it answers equals `fold` of everything; earlier rulings stay as they are.
    """
    batch = list(events)
    return (
        _walk(lifecycle, state, events=batch) if _all_sort_last(lifecycle, state, batch) else None
    )


def _all_sort_last(lifecycle: Lifecycle, state: State, events: Iterable[Event]) -> bool:
    places = [_place(lifecycle, event) for event in events if _understood(lifecycle, event)]
    if not places:
        return True
    if state.untimed or any(place.occurred_at is None for place in places):
        return False
    return state.last is None or min(places) > state.last


def _walk(lifecycle: Lifecycle, state: State, *, events: Iterable[Event]) -> Folded:
    """Step on each event once, in the order of the law."""
    outcomes: dict[UUID, Ruling] = {}
    for event in _in_order(lifecycle, events):
        state, outcomes[event.id] = _step(lifecycle, state, event)
    return Folded(state, outcomes)


def _in_order(lifecycle: Lifecycle, events: Iterable[Event]) -> list[Event]:
    """Sort timed events by (occurred_at, rank, source, dedupe_key), then untimed by the rest."""
    once = {event.id: event for event in events}.values()
    timed = [event for event in once if event.statement.occurred_at is not None]
    untimed = [event for event in once if event.statement.occurred_at is None]

    def place(event: Event) -> Place:
        return _place(lifecycle, event)

    return [*sorted(timed, key=place), *sorted(untimed, key=place)]


def _place(lifecycle: Lifecycle, event: Event) -> Place:
    said = event.statement
    status = lifecycle.find(said.lane, said.status)
    rank = status.rank if status else 0
    return Place(said.occurred_at, rank, event.source, said.dedupe_key, event.id)


def _understood(lifecycle: Lifecycle, event: Event) -> bool:
    said = event.statement
    return said.status is None or lifecycle.find(said.lane, said.status) is not None


def _step(lifecycle: Lifecycle, state: State, event: Event) -> tuple[State, Ruling]:
    ruling = _judge(lifecycle, state, event.statement)
    if ruling.outcome is Outcome.IGNORED:
        return state, ruling
    place = _place(lifecycle, event)
    if ruling.outcome is Outcome.APPLIED:
        state = _moved(state, event)
    said = {name: AttributeState(v, place) for name, v in event.statement.attributes.items()}
    untimed = place.occurred_at is None
    return replace(
        state,
        attributes={**state.attributes, **said},
        last=state.last if untimed else place,
        untimed=state.untimed or untimed,
    ), ruling


def _moved(state: State, event: Event) -> State:
    """Put the event's lane on its status; an event that repeats the status leaves the first one."""
    said = event.statement
    if said.lane is None or said.status is None:
        return state
    now = state.lanes.get(said.lane)
    if now is not None and now.status == said.status:
        return state
    reached = LaneState(said.status, said.occurred_at, event.id)
    return replace(state, lanes={**state.lanes, said.lane: reached})


def _judge(lifecycle: Lifecycle, state: State, said: Statement) -> Ruling:
    if said.status is None:
        return Ruling(Outcome.APPLIED, "carries attributes only")
    wanted = lifecycle.find(said.lane, said.status)
    if said.lane is None or wanted is None:
        return Ruling(
            Outcome.IGNORED,
            f"the lifecycle {lifecycle.name} has no status {said.lane}.{said.status}",
        )
    now = state.lanes.get(said.lane)
    if now is None:
        return Ruling(Outcome.APPLIED, f"{wanted.name} is the first in the {said.lane} lane")
    current = lifecycle.lanes[said.lane].statuses[now.status]
    if said.occurred_at is None:
        return _judge_untimed(current, wanted, lane=said.lane)
    return _judge_timed(current, wanted, lane=said.lane)


def _judge_timed(current: Status, wanted: Status, *, lane: str) -> Ruling:
    """Supersede a status that is not the current one and not in its exits."""
    if wanted.name == current.name:
        return Ruling(Outcome.APPLIED, f"{wanted.name} repeats the status of the {lane} lane")
    return _follow(current, wanted, lane=lane)


def _judge_untimed(current: Status, wanted: Status, *, lane: str) -> Ruling:
    """Let a status without a time pass only if the rank rises and the exits allow it."""
    if wanted.rank <= current.rank:
        return Ruling(
            Outcome.SUPERSEDED,
            f"{wanted.name} came without a time and does not rank above {current.name}"
            f" in the {lane} lane",
        )
    return _follow(current, wanted, lane=lane)


def _follow(current: Status, wanted: Status, *, lane: str) -> Ruling:
    if wanted.name in current.exits:
        return Ruling(Outcome.APPLIED, f"{wanted.name} follows {current.name} in the {lane} lane")
    return Ruling(
        Outcome.SUPERSEDED, f"{wanted.name} cannot follow {current.name} in the {lane} lane"
    )


def _lane_to_json(lane: LaneState) -> dict[str, object]:
    return {
        "status": lane.status,
        "occurred_at": _moment_to_json(lane.occurred_at),
        "event_id": str(lane.event_id),
    }


def _lane_from_json(data: Mapping[str, Any]) -> LaneState:
    return LaneState(data["status"], _moment_from_json(data["occurred_at"]), UUID(data["event_id"]))


def _place_to_json(place: Place) -> list[object]:
    at, rank, source, key, event_id = place
    return [_moment_to_json(at), rank, source, key, str(event_id)]


def _place_from_json(data: list[Any]) -> Place:
    at, rank, source, key, event_id = data
    return Place(_moment_from_json(at), rank, source, key, UUID(event_id))


def _moment_to_json(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="microseconds") if moment else None


def _moment_from_json(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
