"""Replay: the events a request was taken for and what it says now come in, what changes goes out.

An event keeps its id and its dedupe key for ever; only what it states may be written anew.
"""

from collections.abc import Container, Sequence
from dataclasses import dataclass, replace

from service.domain.events import Event, Fate, Outcome, Statement
from service.domain.verdict import Reason

DEAD = Outcome.DEAD.value
USUAL = frozenset(
    {
        Reason.UNREADABLE.value,
        Reason.UNMAPPED.value,
        Reason.UNRESOLVED_SUBJECT.value,
        Outcome.IGNORED.value,
    }
)
"""What a mended mapping mends."""
WORDS = (
    *(outcome.value for outcome in Outcome if outcome is not Outcome.PENDING),
    Reason.UNREADABLE.value,
    Reason.UNMAPPED.value,
    Reason.UNRESOLVED_SUBJECT.value,
    Reason.POISON.value,
)
"""What may be chosen: buckets of the ledger, and reasons of dead letters."""

EFFECTLESS = frozenset({Outcome.IGNORED.value, Outcome.DISCARDED.value})
"""Events in these places say nothing, so nothing is doubled when another one says it."""


@dataclass(frozen=True, slots=True)
class Stand:
    """An event of a request, and where it stands."""

    event: Event
    place: str
    """Its bucket; of a dead event the reason."""
    dead: bool = False

    @property
    def key(self) -> str:
        return self.event.statement.dedupe_key


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events may be written anew: those in one of the places, or exactly the named ones."""

    places: Container[str]
    ids: Container[object] | None = None

    def takes(self, stand: Stand) -> bool:
        if stand.place == Outcome.PENDING:
            return False
        if self.ids is not None:
            return stand.event.id in self.ids
        return stand.place in self.places or (stand.dead and DEAD in self.places)


@dataclass(frozen=True, slots=True)
class Plan:
    """What one request changes; nothing at all when the present configuration reads it alike."""

    rewrites: Sequence[tuple[Stand, Statement]] = ()
    accepts: Sequence[Statement] = ()
    discards: Sequence[Stand] = ()
    known: int = 0
    """Events found now that another request brought already."""
    left: str = ""
    """Why new events were not taken, as a sentence."""

    @property
    def empty(self) -> bool:
        return not (self.rewrites or self.accepts or self.discards)


def decide(
    stands: Sequence[Stand],
    said: Sequence[Statement],
    *,
    elsewhere: Container[str],
    choice: Choice,
) -> Plan:
    """Compare what a request was taken for with what it says now.

    `elsewhere` holds the dedupe keys that belong to other requests: the first to bring an event
    owns it. New keys are taken only if they cannot say again what stands under an old one.
    """
    chosen = [stand for stand in stands if choice.takes(stand)]
    if stands and not chosen:
        return Plan()
    own = {stand.key for stand in stands}
    said_now: dict[str, Statement] = {}
    for statement in said:
        said_now.setdefault(statement.dedupe_key, statement)
    gone = [stand for stand in stands if stand.key not in said_now and not _is_discarded(stand)]
    plan = Plan(
        rewrites=tuple(
            (stand, said_now[stand.key])
            for stand in chosen
            if stand.key in said_now and _differ(stand.event.statement, said_now[stand.key])
        )
    )
    arrived = [statement for key, statement in said_now.items() if key not in own]
    if all(statement.fate is Fate.UNREADABLE for statement in arrived):
        return plan
    if any(stand not in chosen and stand.place not in EFFECTLESS for stand in gone):
        return replace(plan, left=DOUBLES)
    accepts = tuple(each for each in arrived if each.dedupe_key not in elsewhere)
    return replace(
        plan,
        accepts=accepts,
        discards=tuple(stand for stand in gone if stand in chosen),
        known=len(arrived) - len(accepts),
    )


DOUBLES = (
    "The request now names other keys, and events that stand under the old ones were not chosen: "
    "taking the new ones would say the same twice. Choose their outcomes too."
)


def farewell(plan: Plan) -> str:
    """Say what took the place of a discarded event."""
    count = len(plan.accepts) + plan.known
    known = f", {plan.known} of them known before" if plan.known else ""
    return f"replayed into {count} event{'s' if count != 1 else ''}{known}"


def _is_discarded(stand: Stand) -> bool:
    return stand.place == Outcome.DISCARDED


def _differ(before: Statement, now: Statement) -> bool:
    """Whether the meaning changed; another wording of the note does not."""
    return replace(before, note="") != replace(now, note="")
