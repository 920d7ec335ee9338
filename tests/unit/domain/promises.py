"""What the law promises of any story, as checks that a broken law cannot all pass."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import orjson

from service.domain import law
from service.domain.events import Event
from service.domain.law import Folded, Pin, Ruling, State
from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import ORDER
from tests.unit.domain.model import Model, Views
from tests.unit.domain.stories import Arrival, Story

MODEL = Model(ORDER)


def _remember(state: State) -> State:
    """Let a worker crash and another one read what was saved."""
    return State.from_json(orjson.loads(orjson.dumps(state.to_json())))


def _views(of: "Law", story: Story) -> Views:
    folded = of.fold(ORDER, story.events, pins=story.pins, rolled_back=story.rolled_back)
    return Views(
        lanes=folded.state.lanes_view,
        parcels=folded.state.parcels_view,
        attributes=folded.state.attributes_view,
        outcomes={key: ruling.outcome for key, ruling in folded.outcomes.items()},
    )


@dataclass(frozen=True, slots=True)
class Law:
    """The law, or one with a part replaced by a broken one."""

    fold: Callable[..., Folded] = law.fold
    advance: Callable[[Lifecycle, State, Sequence[Event]], Folded | None] = law.advance
    remember: Callable[[State], State] = _remember
    views: Callable[["Law", Story], Views] = _views


@dataclass(slots=True)
class Worker:
    """Does as the fold does: goes on from the saved state, refolds what only a refold can tell."""

    law: Law
    state: State = field(default_factory=State.empty)
    rulings: dict[UUID, Ruling] = field(default_factory=dict)
    held: list[Event] = field(default_factory=list)
    pins: list[Pin] = field(default_factory=list)
    rolled_back: set[UUID] = field(default_factory=set)
    refolds: int = 0

    def take(self, step: Sequence[Any]) -> None:
        match step:
            case ("pin", Pin() as pin):
                self.pins.append(pin)
                self.refold()
            case ("release", Pin() as pin):
                self.pins.remove(pin)
                self.refold()
            case ("rollback", UUID() as event_id):
                self.rolled_back.add(event_id)
                self.refold()
            case _:
                self.advance(step)

    def advance(self, batch: Sequence[Event]) -> None:
        self.held += batch
        folded = self.law.advance(ORDER, self.state, batch)
        if folded is None:
            self.refold()
        else:
            self.save(folded)

    def refold(self) -> None:
        self.refolds += 1
        self.save(
            self.law.fold(ORDER, self.held, pins=self.pins, rolled_back=frozenset(self.rolled_back))
        )

    def save(self, folded: Folded) -> None:
        self.state = self.law.remember(folded.state)
        self.rulings |= folded.outcomes


def arrival_plays_no_part(of: Law, story: Story, arrival: Arrival) -> None:
    """Neither order nor repetition changes the state, or the ruling on any event."""
    acts: Mapping[str, Any] = {"pins": story.pins, "rolled_back": story.rolled_back}
    told = of.fold(ORDER, story.events, **acts)
    arrived = of.fold(ORDER, list(arrival.events), **acts)
    assert told == arrived
    assert told.state.to_json() == arrived.state.to_json()
    assert {event.id for event in story.events} == set(arrived.outcomes)


def batches_end_where_the_set_does(of: Law, story: Story, arrival: Arrival) -> Worker:
    """Any split, any crash and any batch that comes again leads to what the set says."""
    worker = Worker(of)
    for step in arrival.steps:
        worker.take(step)
    folded = of.fold(ORDER, story.events, pins=story.pins, rolled_back=story.rolled_back)
    assert folded.state == worker.state
    assert folded.outcomes == worker.rulings
    return worker


def the_model_agrees(of: Law, story: Story) -> None:
    """What can be seen is what the second telling of the law sees."""
    told = MODEL.views(story.events, story.pins, story.rolled_back)
    seen = of.views(of, story)
    assert told.lanes == seen.lanes
    assert told.parcels == seen.parcels
    assert told.outcomes == seen.outcomes
    assert dict(told.attributes) == _by_value(seen.attributes)


def _by_value(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: MODEL.number(value) if "_amount" in name and isinstance(value, str) else value
        for name, value in attributes.items()
    }


def all_promises(of: Law, story: Story, arrival: Arrival) -> None:
    arrival_plays_no_part(of, story, arrival)
    batches_end_where_the_set_does(of, story, arrival)
    the_model_agrees(of, story)
