"""The law: the set of a subject's events comes in, its state and each event's outcome go out.

Revoked events fall away. The timed ones walk first, by their senders' clocks; the untimed ones
follow and may only raise a lane; operators have the last word. Nothing here looks at when or in
which order an event arrived.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from service.domain import bases, strands, sums
from service.domain.bases import NOTHING, Base
from service.domain.events import AttributeValue, Event, Outcome, Revocation, Statement
from service.domain.lifecycle import Lifecycle
from service.domain.state import Pin, Place, State, Strands
from service.domain.strands import Ruling
from service.domain.sums import Tally, Teller

__all__ = [
    "LAW",
    "Base",
    "Folded",
    "Pin",
    "Place",
    "Ruling",
    "State",
    "advance",
    "compact",
    "fold",
]

LAW = 3
"""Raise it with every change of the law or of a lifecycle that can change a folded state.

The law is this module, `strands`, `sums` and `state`.
"""

ROLLED_BACK = Ruling(Outcome.REVOKED, "an operator took it back")
REVOKED = Ruling(Outcome.REVOKED, "its sender took it back")
LATE = Ruling(Outcome.SUPERSEDED, "what was said after it is past its retention and stands")


@dataclass(frozen=True, slots=True)
class Folded:
    """The state after the events, and the ruling on each event that was given."""

    state: State
    outcomes: Mapping[UUID, Ruling]


def fold(
    lifecycle: Lifecycle,
    events: Iterable[Event],
    *,
    pins: Sequence[Pin] = (),
    rolled_back: Collection[UUID] = (),
    base: Base = NOTHING,
) -> Folded:
    """Apply the law to all events of one subject whose fate is `fold`.

    `pins` are those that no operator released; `rolled_back` are events that operators took back.
    `base` stands for events that were purged; nothing is ruled about those any more.
    """
    held = {pin.lane: pin for pin in sorted(pins) if lifecycle.find(pin.lane, pin.status)}
    begun = replace(_ground(lifecycle, base), pins=held, rolled_back=frozenset(rolled_back))
    folded = _walk(lifecycle, begun, events=_once([*base.untimed, *events]))
    gone = {event.id for event in base.untimed}
    ruled = {each: said for each, said in folded.outcomes.items() if each not in gone}
    return Folded(folded.state, ruled)


def compact(
    lifecycle: Lifecycle,
    base: Base,
    events: Iterable[Event],
    *,
    old: Collection[UUID],
    rolled_back: Collection[UUID] = (),
) -> tuple[Base, frozenset[UUID]]:
    """Purge old events of one subject: what stands for them from now on, and which they are.

    Only those go behind which no younger one sorts, so that the rest folds on top as all did. What
    a staying event takes back stays with it, because an operator may take back that one.
    """
    every = _once(events)
    begun = replace(_ground(lifecycle, base), rolled_back=frozenset(rolled_back))
    known = replace(begun, revoked=begun.revoked | _revocations(begun, every))
    walking = [each for each in every if _passed_over(lifecycle, known, each) is None]
    going = _going(lifecycle, walking, old)
    revoked = begun.revoked | _revocations(begun, going)
    walks = {each.id for each in walking}
    settled = replace(begun, revoked=revoked)
    passed = {
        each.id: ruling
        for each in every
        if each.id in old
        and each.id not in walks
        and (ruling := _passed_over(lifecycle, settled, each)) is not None
    }
    heard = [
        each
        for each in every
        if each in going or (each.id in passed and passed[each.id].outcome is Outcome.IGNORED)
    ]
    timed = [each for each in going if _is_timed(each)]
    turned = replace(known, returns=known.returns | _returns(walking))
    walked = _walk(lifecycle, turned, events=timed)
    state = State(
        strands=walked.state.strands,
        attributes=walked.state.attributes,
        tallies=walked.state.tallies,
        returns=begun.returns | _returns(going),
        revoked=revoked,
        last=walked.state.last,
    )
    untimed = [
        each
        for each in [*base.untimed, *(each for each in going if not _is_timed(each))]
        if _weighs(each.statement) and _passed_over(lifecycle, settled, each) != REVOKED
    ]
    said = base.claims | {
        (alias, each.source) for each in heard for alias in each.statement.aliases
    }
    gone = frozenset(each.id for each in going) | passed.keys()
    left = Base(state, bases.without_repeats(untimed), said, base.events + len(gone))
    return left, gone


def _going(lifecycle: Lifecycle, walking: Sequence[Event], old: Collection[UUID]) -> list[Event]:
    """The old ones, but for timed ones behind a younger one: where that stands, they matter."""
    ordered = [each for each in _in_order(lifecycle, walking) if _weighs(each.statement)]
    young = (n for n, each in enumerate(ordered) if each.id not in old and _is_timed(each))
    blocked = {each.id for each in ordered[next(young, len(ordered)) :] if _is_timed(each)}
    return [each for each in walking if each.id in old and each.id not in blocked]


def _ground(lifecycle: Lifecycle, base: Base) -> State:
    """What purged events folded to, as far as the lifecycle still knows what they said."""
    found = {
        name: each
        for name, each in base.state.strands.items()
        if name in lifecycle.lanes and strands.known(lifecycle.lanes[name], each)
    }
    return replace(base.state, strands=found, lanes={}, untimed=None)


def advance(lifecycle: Lifecycle, state: State, events: Iterable[Event]) -> Folded | None:
    """Go on from `state` with events it does not hold; None when only a refold can tell.

    What it answers equals `fold` of everything; earlier rulings stay as they are.
    """
    batch = _once(events)
    return _walk(lifecycle, state, events=batch) if _suffices(lifecycle, state, batch) else None


def _once(events: Iterable[Event]) -> list[Event]:
    return list({event.id: event for event in events}.values())


@dataclass(slots=True)
class _Draft:
    """The parts of a state that the walk moves; what it starts from is never changed."""

    ground: State
    """What it starts from."""
    strands: dict[str, Strands]
    attributes: dict[str, AttributeValue]
    tallies: dict[Teller, Tally]
    last: Place | None
    untimed: Place | None


def _walk(lifecycle: Lifecycle, state: State, *, events: Sequence[Event]) -> Folded:
    """Step on each event once, in the order of the law, and look at the lanes afterwards."""
    if taken_back := _revocations(state, events) - state.revoked:
        state = replace(state, revoked=state.revoked | taken_back)
    outcomes: dict[UUID, Ruling] = {}
    walking: list[Event] = []
    for event in events:
        if (ruling := _passed_over(lifecycle, state, event)) is not None:
            outcomes[event.id] = ruling
        else:
            walking.append(event)
    returns = state.returns | _returns(walking)
    draft = _Draft(
        state,
        dict(state.strands),
        dict(state.attributes),
        dict(state.tallies),
        state.last,
        state.untimed,
    )
    for event in _in_order(lifecycle, walking):
        outcomes[event.id] = _step(lifecycle, draft, event, returns=returns)
    moved = replace(
        state,
        lanes=_lanes(lifecycle, draft, returns=returns),
        strands=draft.strands,
        attributes=draft.attributes,
        tallies=draft.tallies,
        returns=returns,
        last=draft.last,
        untimed=draft.untimed,
    )
    return Folded(moved, outcomes)


def _revocations(state: State, events: Iterable[Event]) -> frozenset[Revocation]:
    """What senders took back; only an operator can take that back again."""
    return frozenset(
        event.statement.revokes
        for event in events
        if event.statement.revokes is not None and event.id not in state.rolled_back
    )


def _passed_over(lifecycle: Lifecycle, state: State, event: Event) -> Ruling | None:
    """The ruling on an event that the walk never meets; None for all others."""
    said = event.statement
    if event.id in state.rolled_back:
        return ROLLED_BACK
    if said.revokes is None:
        if Revocation(event.source, said.dedupe_key) in state.revoked:
            return REVOKED
        if said.status is not None and lifecycle.find(said.lane, said.status) is None:
            unknown = f"the lifecycle {lifecycle.name} has no status {said.lane}.{said.status}"
            return Ruling(Outcome.IGNORED, unknown)
    return None


def _returns(events: Iterable[Event]) -> frozenset[str]:
    said = (event.statement for event in events)
    return frozenset(each.parcel for each in said if each.returns and each.parcel is not None)


def _in_order(lifecycle: Lifecycle, events: Sequence[Event]) -> Iterator[Event]:
    """Sort timed events by (occurred_at, rank, source, dedupe_key), then untimed by the rest."""
    if len(events) < 2:
        yield from events
        return

    def place(event: Event) -> Place:
        return _place(lifecycle, event)

    for timed in (True, False):
        yield from sorted((each for each in events if _is_timed(each) is timed), key=place)


def _is_timed(event: Event) -> bool:
    return event.statement.occurred_at is not None


def _place(lifecycle: Lifecycle, event: Event) -> Place:
    said = event.statement
    status = lifecycle.find(said.lane, said.status)
    rank = status.rank if status else 0
    return Place(said.occurred_at, rank, event.source, said.dedupe_key, event.id)


def _step(lifecycle: Lifecycle, draft: _Draft, event: Event, *, returns: Collection[str]) -> Ruling:
    """Take what the event says; attributes and money count though its status comes too late."""
    said = event.statement
    ruling = Ruling(Outcome.APPLIED, _contents(said))
    place = _place(lifecycle, event) if _weighs(said) else None
    late = place is not None and _is_late(draft, event, place)
    wanted = lifecycle.find(said.lane, said.status)
    if late and said.lane in draft.ground.strands:
        ruling = LATE
    elif said.lane is not None and wanted is not None:
        draft.strands[said.lane], ruling = strands.step(
            lifecycle.lanes[said.lane],
            draft.strands.get(said.lane, Strands()),
            said,
            wanted=wanted,
            returns=returns,
        )
    known = draft.ground.attributes if late else {}
    draft.attributes |= {name: one for name, one in said.attributes.items() if name not in known}
    for money in said.money:
        teller = Teller(money.kind, event.source)
        tally = draft.tallies.get(teller, Tally())
        if not (late and money.id is not None and money.id in tally.words):
            draft.tallies[teller] = sums.heard(tally, money)
    if place is not None and not late:
        draft.last = place if _is_timed(event) else draft.last
        draft.untimed = draft.untimed if _is_timed(event) else place
    return _revoking(said, said.revokes, ruling) if said.revokes is not None else ruling


def _is_late(draft: _Draft, event: Event, place: Place) -> bool:
    """Whether it sorts before what was purged: only a fold that begins with a base meets such."""
    last = draft.ground.last
    return _is_timed(event) and last is not None and place < last


def _contents(said: Statement) -> str:
    parts = {"attributes": said.attributes, "money": said.money, "other names": said.aliases}
    carried = [name for name, part in parts.items() if part]
    return f"carries {' and '.join(carried)} only" if carried else "carries nothing to fold"


def _revoking(said: Statement, taken: Revocation, ruling: Ruling) -> Ruling:
    """A revocation is applied, whatever became of a status beside it."""
    beside = f"; {ruling.reason}" if said.status is not None else ""
    return Ruling(Outcome.APPLIED, f"takes back {taken.dedupe_key} of {taken.source}{beside}")


def _weighs(said: Statement) -> bool:
    """Whether it matters where in the order an event stands."""
    return said.status is not None or bool(said.attributes) or bool(said.money)


def _lanes(lifecycle: Lifecycle, draft: _Draft, *, returns: Collection[str]) -> dict[str, str]:
    lanes: dict[str, str] = {}
    for name, each in sorted(draft.strands.items()):
        lane = lifecycle.lanes[name]
        status = strands.shown(lane, each, returns=returns)
        if status is not None and lane.settlement is not None:
            price = draft.attributes.get("amount")
            status = sums.settled(lane.settlement, status, tallies=draft.tallies, price=price)
        if status is not None:
            lanes[name] = status
    return lanes


def _suffices(lifecycle: Lifecycle, state: State, batch: Sequence[Event]) -> bool:
    """Whether all of the batch comes after all of the state, and nothing folded looks different."""
    if _revocations(state, batch) - state.revoked:
        return False
    walking = [event for event in batch if _passed_over(lifecycle, state, event) is None]
    turned = _returns(walking) - state.returns
    return all(
        turned.isdisjoint(each.parcels)
        and name in lifecycle.lanes
        and strands.known(lifecycle.lanes[name], each)
        for name, each in state.strands.items()
    ) and _all_sort_last(lifecycle, state, walking)


def _all_sort_last(lifecycle: Lifecycle, state: State, walking: Iterable[Event]) -> bool:
    heavy = [event for event in walking if _weighs(event.statement)]
    timed = [_place(lifecycle, event) for event in heavy if _is_timed(event)]
    untimed = [_place(lifecycle, event) for event in heavy if not _is_timed(event)]
    if timed and state.untimed is not None:
        return False
    return _follow(timed, state.last) and _follow(untimed, state.untimed)


def _follow(places: Sequence[Place], last: Place | None) -> bool:
    return not places or last is None or min(places) > last
