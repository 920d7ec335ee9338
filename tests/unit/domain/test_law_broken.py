"""Laws that are broken on purpose: the promises must catch each of them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, find, settings

from service.domain import law
from service.domain.events import Event, Money
from service.domain.law import Folded, Pin, State
from service.domain.lifecycle import Lane, Lifecycle, Status
from service.domain.lifecycles import ORDER
from service.domain.state import Strands
from tests import make
from tests.unit.domain.model import Model, Views
from tests.unit.domain.promises import Law, all_promises
from tests.unit.domain.stories import Arrival, Story
from tests.unit.domain.test_law_promises import told

Retold = Callable[[list[Event]], Iterable[Event]]


def hears(retold: Retold) -> Law:
    """A law that understands the events otherwise; it never goes on from a state."""

    def fold(lifecycle: Lifecycle, events: Iterable[Event], **acts: Any) -> Folded:
        return law.fold(lifecycle, retold(list(events)), **acts)

    return Law(fold=fold, advance=_never)


def reads(**parts: Callable[[Lane], object]) -> Law:
    """A law that reads a part of each lane otherwise."""

    def fold(lifecycle: Lifecycle, events: Iterable[Event], **acts: Any) -> Folded:
        lanes = {
            name: replace(lane, **{part: read(lane) for part, read in parts.items()})  # type: ignore[arg-type]
            for name, lane in lifecycle.lanes.items()
        }
        return law.fold(replace(lifecycle, lanes=lanes), events, **acts)

    return Law(fold=fold, advance=_never)


def forgets(**parts: object) -> Law:
    """A law that loses a part of the state between two batches."""

    def advance(lifecycle: Lifecycle, state: State, events: Sequence[Event]) -> Folded | None:
        return law.advance(lifecycle, replace(state, **parts), events)  # type: ignore[arg-type]

    return Law(advance=advance)


def saves(lost: Callable[[State], State]) -> Law:
    """A law whose state does not survive being saved."""
    return Law(remember=lambda state: lost(Law().remember(state)))


def thinks(model: type[Model]) -> Law:
    """A law of another thought; only what can be seen of it is compared."""

    def views(_: Law, story: Story) -> Views:
        return model(ORDER).views(story.events, story.pins, story.rolled_back)

    return Law(views=views)


def _never(*_: object) -> None:
    return None


def said(event: Event, **otherwise: Any) -> Event:
    return replace(event, statement=replace(event.statement, **otherwise))


# --- wrong about time and arrival ---


def by_arrival(events: list[Event]) -> list[Event]:
    return [said(each, occurred_at=make.at(number)) for number, each in enumerate(events)]


def by_receiving(events: list[Event]) -> list[Event]:
    return [said(each, occurred_at=each.received_at) for each in events]


def untimed_when_received(events: list[Event]) -> list[Event]:
    return [
        each if each.statement.occurred_at else said(each, occurred_at=each.received_at)
        for each in events
    ]


def to_the_second(events: list[Event]) -> list[Event]:
    return [
        said(each, occurred_at=at.replace(microsecond=0))
        if (at := each.statement.occurred_at)
        else each
        for each in events
    ]


def duplicates_are_events(events: list[Event]) -> list[Event]:
    """Only an id tells a duplicate; lose it, and each copy is news."""
    fresh = count(1000)
    seen: set[UUID] = set()
    again = []
    for each in events:
        again.append(replace(each, id=UUID(int=next(fresh))) if each.id in seen else each)
        seen.add(each.id)
    return again


class RankPlaysNoPart(Model):
    def turn(self, event: Event) -> Any:
        untimed, at, _, *rest = super().turn(event)
        return (untimed, at, 0, *rest)


class UntimedNeedNotRise(Model):
    def may(self, lane: Lane, now: str | None, wanted: str, *, timed: bool) -> bool:
        return super().may(lane, now, wanted, timed=True)


# --- wrong about what is taken back ---


def revokes_only_the_past(events: list[Event]) -> list[Event]:
    gone: set[tuple[str, str]] = set()
    left = []
    for each in reversed(events):
        left.append(said(each, revokes=None))
        if each.statement.revokes:
            gone.add(each.statement.revokes)
            left = [e for e in left if (e.source, e.statement.dedupe_key) not in gone]
    return left


class RevocationsCanBeRevoked(Model):
    def kept(self, story: Sequence[Event], rolled_back: set[UUID]) -> list[Event]:
        left = [event for event in story if event.id not in rolled_back]
        gone = {event.statement.revokes for event in left if event.statement.revokes}
        return [e for e in left if (e.source, e.statement.dedupe_key) not in gone]


class RevocationsOutliveARollBack(Model):
    def kept(self, story: Sequence[Event], rolled_back: set[UUID]) -> list[Event]:
        return [event for event in super().kept(story, set()) if event.id not in rolled_back]


def revokes_without_refold(
    lifecycle: Lifecycle, state: State, events: Sequence[Event]
) -> Folded | None:
    news = {each.statement.revokes for each in events if each.statement.revokes}
    return law.advance(lifecycle, replace(state, revoked=state.revoked | news), events)


def rolls_nothing_back(lifecycle: Lifecycle, events: Iterable[Event], **acts: Any) -> Folded:
    return law.fold(lifecycle, events, pins=acts.get("pins", ()))


# --- wrong about operators ---


def the_first_pin_holds(lifecycle: Lifecycle, events: Iterable[Event], **acts: Any) -> Folded:
    pins: Sequence[Pin] = acts.get("pins", ())
    turned = [pin._replace(id=-pin.id) for pin in pins]
    return law.fold(lifecycle, events, pins=turned, rolled_back=acts.get("rolled_back", ()))


class PinsStopTheWalk(Model):
    """What was said of a pinned lane is lost."""

    def views(self, events: Any, pins: Sequence[Pin] = (), rolled_back: Any = ()) -> Views:
        pinned = {pin.lane for pin in pins}
        left = [each for each in events if each.statement.lane not in pinned]
        return super().views(left, pins, rolled_back)


# --- wrong about parcels ---


def parcels_are_the_whole(events: list[Event]) -> list[Event]:
    return [said(each, parcel=None) for each in events]


def returns_go_out(events: list[Event]) -> list[Event]:
    return [said(each, returns=False) for each in events]


class NewParcelsStartEmpty(Model):
    def speaks(self, said: Any, lane: str, parcel: str | None, returns: set[str]) -> bool:
        return super().speaks(said, lane, parcel, returns) and said.parcel == parcel


class TheWholeSpeaksOfReturns(Model):
    def speaks(self, said: Any, lane: str, parcel: str | None, returns: set[str]) -> bool:
        return super().speaks(said, lane, parcel, set())


class TheMostAdvancedParcelShows(Model):
    def together(self, lane: Lane, out: Sequence[str]) -> str:
        return max(out, key=lambda name: lane.statuses[name].rank)


class ReturnsIgnoreExits(Model):
    def sent_back(self, lane: Lane, status: str | None, back: Sequence[str]) -> str | None:
        return super().sent_back(lane, None, back) or status


# --- wrong about words and money ---


class TheFirstWordHolds(Model):
    def attributes(self, walk: Sequence[Event]) -> Any:
        return super().attributes(walk[::-1])


def totals_add_up(events: list[Event]) -> list[Event]:
    fresh = count()

    def counted(money: Money) -> Money:
        return money if money.id else replace(money, id=f"total-{next(fresh)}")

    return [said(e, money=tuple(map(counted, e.statement.money))) for e in events]


class SourcesAddUp(Model):
    def of_sources(self, one: Any, other: Any) -> Any:
        return (one or 0) + other


class BinaryFractions(Model):
    def number(self, text: str) -> float:
        return float(text)


class TheFirstAmountOfAnIdHolds(Model):
    def word(self, words: Sequence[Any]) -> Any:
        return words[0]


class CurrenciesAreNotTold(Model):
    def currencies(self, told: Any) -> set[str]:
        return set()


class FailedRefundsCount(Model):
    def failed(self, walk: Sequence[Event], kind: str) -> bool:
        return False


def everywhere(lane: Lane) -> Mapping[str, Status]:
    return {
        name: replace(status, exits=frozenset(lane.statuses) - {name})
        for name, status in lane.statuses.items()
    }


def no_microseconds(state: State) -> State:
    at = state.last.occurred_at if state.last else None
    if state.last is None or at is None:
        return state
    return replace(state, last=state.last._replace(occurred_at=at.replace(microsecond=0)))


def no_parcels(state: State) -> State:
    return replace(
        state, strands={lane: Strands(each.whole) for lane, each in state.strands.items()}
    )


def only_the_time(state: State) -> State:
    if state.last is None:
        return state
    return replace(state, last=state.last._replace(rank=-1))


BROKEN: Mapping[str, Law] = {
    "walks in the order of arrival": hears(by_arrival),
    "walks by the receiving time": hears(by_receiving),
    "takes the receiving time where none was told": hears(untimed_when_received),
    "drops the microseconds": hears(to_the_second),
    "takes duplicates for news": hears(duplicates_are_events),
    "sorts without the rank": thinks(RankPlaysNoPart),
    "lets untimed events fall": thinks(UntimedNeedNotRise),
    "revokes only what came before": hears(revokes_only_the_past),
    "lets revocations be revoked": thinks(RevocationsCanBeRevoked),
    "keeps a revocation that was rolled back": thinks(RevocationsOutliveARollBack),
    "revokes without looking back": Law(advance=revokes_without_refold),
    "rolls nothing back": Law(fold=rolls_nothing_back),
    "lets the first pin hold": Law(fold=the_first_pin_holds),
    "stops walking under a pin": thinks(PinsStopTheWalk),
    "takes a parcel for the whole": hears(parcels_are_the_whole),
    "takes returns for deliveries": hears(returns_go_out),
    "starts new parcels empty": thinks(NewParcelsStartEmpty),
    "speaks of returns as of the whole": thinks(TheWholeSpeaksOfReturns),
    "shows the most advanced parcel": thinks(TheMostAdvancedParcelShows),
    "lets returns leave a final status": thinks(ReturnsIgnoreExits),
    "lets the first word on an attribute hold": thinks(TheFirstWordHolds),
    "adds running totals": hears(totals_add_up),
    "adds what several sources tell": thinks(SourcesAddUp),
    "counts in binary fractions": thinks(BinaryFractions),
    "lets the first amount of an id hold": thinks(TheFirstAmountOfAnIdHolds),
    "never guesses a currency": thinks(CurrenciesAreNotTold),
    "takes failed refunds for refunds": thinks(FailedRefundsCount),
    "leaves a status anywhere": reads(statuses=everywhere),
    "has no word for some of the parcels": reads(partly=lambda _: {}),
    "does not translate returns": reads(backward=lambda _: {}),
    "does not look at sums": reads(settlement=lambda _: None),
    "appends anything": forgets(last=None, untimed=None),
    "appends behind untimed events": forgets(untimed=None),
    "appends by the time alone": saves(only_the_time),
    "forgets what was revoked": forgets(revoked=frozenset()),
    "forgets which parcels go back": forgets(returns=frozenset()),
    "forgets what was rolled back": forgets(rolled_back=frozenset()),
    "forgets the pins": forgets(pins={}),
    "forgets the money": forgets(tallies={}),
    "forgets the attributes": forgets(attributes={}),
    "saves no microseconds": saves(no_microseconds),
    "saves no parcels": saves(no_parcels),
}

LOOKING = settings(
    max_examples=3000, database=None, deadline=None, phases=[Phase.generate], derandomize=True
)


@pytest.mark.parametrize("broken", BROKEN.values(), ids=BROKEN)
def test_a_broken_law_breaks_a_promise(broken: Law) -> None:
    find(told(), lambda case: not _keeps(broken, *case), settings=LOOKING, random=Random(0))


def _keeps(broken: Law, story: Story, arrival: Arrival) -> bool:
    try:
        all_promises(broken, story, arrival)
    except AssertionError:
        return False
    return True
