"""Made-up orders whose events come under several names; what must become of each comes out."""

import random
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any
from uuid import UUID

from service.domain.events import Alias, Event, Outcome, Revocation
from service.domain.lifecycle import overall
from service.domain.lifecycles import ORDER
from service.domain.state import Pin
from service.store.ids import new_id
from tests import make
from tests.acceptance.tellers import TRACKING
from tests.unit.domain.model import Model, Views
from tests.unit.domain.stories import MOMENTS, NOTHING, SOURCES, WORDS

MODEL = Model(ORDER)
COURIER = "courier"
"""It often knows no order."""


def _can_be_told(word: Mapping[str, Any]) -> bool:
    """Whether a configured sender can say it: with words that are mapped, and amounts."""
    known = word["status"] is None or ORDER.find(word["lane"], word["status"]) is not None
    amounts = all(money.amount.replace(".", "", 1).isdigit() for money in word.get("money", ()))
    tells = any(word.get(name) for name in ("status", "attributes", "money", "revokes", "returns"))
    return known and amounts and tells and not word.get("aliases")


TOLD = [word for word in WORDS if _can_be_told(word)]
STATUSES = [word for word in TOLD if word["status"] and not word.get("revokes")]


@dataclass(slots=True)
class Tale:
    """One order, as it is told in the end; people's acts are added to it."""

    ref: str
    events: list[Event] = field(default_factory=list)
    linked: set[str] = field(default_factory=set)
    """Names that an operator gave it."""
    denied: set[str] = field(default_factory=set)
    """Names that an operator took from it for good."""
    pins: list[Pin] = field(default_factory=list)
    rolled_back: set[UUID] = field(default_factory=set)

    def tell(self, source: str, **said: Any) -> Event:
        """Add an event, under a key of its own."""
        usual = {"ref": self.ref, **NOTHING, "dedupe_key": f"{self.ref}/{len(self.events):02}"}
        event = make.event(id=new_id(), source=source, **{**usual, **said})
        self.events.append(event)
        return event

    def link(self, *values: str, source: str = "shop") -> Event:
        """The shop says by which names the order goes besides."""
        return self.tell(source, aliases=named(*values), attributes={"n": self.ref})

    def revoke(self, event: Event, **said: Any) -> Event:
        back = Revocation(event.source, event.statement.dedupe_key)
        return self.tell(event.source, revokes=back, **said)


def named(*values: str) -> tuple[Alias, ...]:
    return tuple(Alias(TRACKING, value) for value in values)


def tale(ref: str, chance: random.Random, *, nameless: Sequence[Sequence[str]] = ()) -> Tale:
    """Up to twelve events of any kind; those without the order are told by one of the names."""
    made = Tale(ref)
    for _ in range(chance.randint(3, 12)):
        said = dict(chance.choice(TOLD))
        source, at = chance.choice(SOURCES), chance.choice(MOMENTS)
        if said.pop("revokes", False):
            _take_back(made, chance, source=source, occurred_at=at, said=said)
        elif nameless and source == COURIER and chance.random() < 0.7:
            called = named(*chance.choice(nameless))
            made.tell(source, occurred_at=at, ref=None, aliases=called, **said)
        else:
            made.tell(source, occurred_at=at, **said)
    for names in nameless:
        said, at = dict(chance.choice(STATUSES)), chance.choice(MOMENTS)
        made.tell(COURIER, occurred_at=at, ref=None, aliases=named(*names), **said)
    return made


def _take_back(
    made: Tale, chance: random.Random, *, source: str, said: Mapping[str, Any], **when: Any
) -> None:
    """An event of the same sender, or one that never comes; some do not name the order again."""
    mine = [each.statement for each in made.events if each.source == source]
    target = chance.choice(mine).dedupe_key if mine and chance.random() < 0.9 else "never-sent"
    knows = target == "never-sent" or chance.random() < 0.6
    back = Revocation(source, target)
    made.tell(source, ref=made.ref if knows else None, revokes=back, **when, **said)


@dataclass(frozen=True, slots=True)
class Ending:
    """What must be seen of one order, and of every event of its tale."""

    views: Views
    status: str
    waiting: frozenset[UUID]

    @property
    def outcomes(self) -> dict[UUID, str]:
        found = {**self.views.outcomes, **dict.fromkeys(self.waiting, Outcome.WAITING)}
        return {event_id: outcome.value for event_id, outcome in found.items()}


def endings(tales: Iterable[Tale]) -> dict[str, Ending]:
    """Apply the law, as it is told a second time, to all that belongs to each order."""
    told = list(tales)
    places = {each.ref: _place(each, told) for each in told}
    return {each.ref: _end(each, places[each.ref]) for each in told}


def _end(told: Tale, belonging: Collection[UUID]) -> Ending:
    events = [event for event in told.events if event.id in belonging]
    views = MODEL.views(events, told.pins, told.rolled_back)
    waiting = frozenset(event.id for event in told.events if event.id not in belonging)
    return Ending(views, overall(ORDER, dict(views.lanes)), waiting)


def _place(told: Tale, everybody: Sequence[Tale]) -> set[UUID]:
    """The events that are at the order by its number, by a name, or after what they take back."""
    here = {event.id for event in told.events if event.statement.ref is not None}
    reached = set(_names(told, _heard(told, here))) | told.linked
    others: set[str] = set()
    for other in everybody:
        if other is not told and other.ref != told.ref:
            own = {each.id for each in other.events if each.statement.ref is not None}
            others |= (set(_names(other, _heard(other, own))) | other.linked) - other.denied
    while True:
        mine = reached - told.denied - (others - told.linked)
        found = {event.id for event in told.events if _comes(event, mine, here, told)} - here
        if not found:
            return here
        here |= found
        reached |= set(_names(told, _heard(told, here)))


def _comes(event: Event, names: set[str], here: set[UUID], told: Tale) -> bool:
    said = event.statement
    if said.follows:
        aims = [each for each in told.events if each.id in here]
        return any((each.source, each.statement.dedupe_key) == said.revokes for each in aims)
    return not names.isdisjoint(alias.value for alias in said.aliases)


def _heard(told: Tale, here: Collection[UUID]) -> list[Event]:
    """Those that nobody takes back."""
    standing = [event for event in told.events if event.id not in told.rolled_back]
    gone = {event.statement.revokes for event in standing if event.statement.revokes}
    return [
        event
        for event in standing
        if event.id in here
        and (
            event.statement.revokes
            or Revocation(event.source, event.statement.dedupe_key) not in gone
        )
    ]


def _names(told: Tale, heard: Iterable[Event]) -> Iterator[str]:
    for event in heard:
        yield from (alias.value for alias in event.statement.aliases)


def by_value(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Amounts compare by value, not by spelling."""
    return {
        name: Fraction(value) if "_amount" in name else value for name, value in attributes.items()
    }


def merged(winner: Tale, loser: Tale) -> Tale:
    """One order of two, under the number of the first."""
    return replace(
        winner,
        events=[*winner.events, *loser.events],
        linked=winner.linked | loser.linked,
        pins=[*winner.pins, *loser.pins],
        rolled_back=winner.rolled_back | loser.rolled_back,
    )
