"""What purged events of a subject folded to; several bases of merged subjects become one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import NamedTuple

from service.domain import sums
from service.domain.events import Alias, Event, Statement
from service.domain.state import State, Strands
from service.domain.sums import Tally

MOST_UNTIMED = 64
"""Above so many untimed events those that say the same again are left out."""


@dataclass(frozen=True, slots=True)
class Base:
    """Timed events are folded; untimed ones walk behind all timed ones, also those yet to come."""

    state: State = field(default_factory=State)
    untimed: tuple[Event, ...] = ()
    claims: frozenset[tuple[Alias, str]] = frozenset()
    """Other names that purged events told, and the sources that did."""
    events: int = 0
    """How many it stands for."""


NOTHING = Base()


def together(bases: Iterable[Base]) -> Base:
    """Make one of the bases of subjects that were merged: in each lane the later one has the say.

    It is not what all of their events would fold to, were they still there.
    """
    return reduce(_upon, sorted(bases, key=_last), NOTHING)


def _last(base: Base) -> tuple[bool, str]:
    last = base.state.last
    at = last.occurred_at if last else None
    return at is not None, at.isoformat(timespec="microseconds") if at else ""


def _upon(first: Base, then: Base) -> Base:
    one, two = first.state, then.state
    tallies = dict(one.tallies)
    for teller, tally in two.tallies.items():
        tallies[teller] = _sum(tallies.get(teller, Tally()), tally)
    strands = {
        name: _strands(one.strands.get(name), two.strands.get(name))
        for name in one.strands.keys() | two.strands.keys()
    }
    state = State(
        strands=strands,
        attributes={**one.attributes, **two.attributes},
        tallies=tallies,
        returns=one.returns | two.returns,
        revoked=one.revoked | two.revoked,
        last=two.last or one.last,
    )
    untimed = without_repeats([*first.untimed, *then.untimed])
    return Base(state, untimed, first.claims | then.claims, first.events + then.events)


def _strands(one: Strands | None, two: Strands | None) -> Strands:
    one, two = one or Strands(), two or Strands()
    whole = two.whole if two.whole is not None else one.whole
    return Strands(whole, {**one.parcels, **two.parcels})


def _sum(one: Tally, two: Tally) -> Tally:
    totals = dict(one.totals)
    for currency, amount in two.totals.items():
        totals[currency] = sums.larger(totals.get(currency, amount), amount)
    return Tally({**one.words, **two.words}, totals)


class _Fact(NamedTuple):
    source: str
    statement: str


def without_repeats(events: Sequence[Event]) -> tuple[Event, ...]:
    """The events, once they are many without those that a later one repeats word for word."""
    bare = [replace(event, statement=_bare(event.statement)) for event in events]
    if len(bare) <= MOST_UNTIMED:
        return tuple(bare)
    ordered = sorted(bare, key=lambda each: (each.source, each.statement.dedupe_key))
    last = {_fact(each): each for each in ordered}
    return tuple(last.values())


def _fact(event: Event) -> _Fact:
    return _Fact(event.source, repr(replace(event.statement, dedupe_key="")))


def _bare(said: Statement) -> Statement:
    """What the law looks at: what a sender calls it is purged."""
    return replace(said, aliases=(), code="", reason="", note="")
