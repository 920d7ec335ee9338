"""Owed events come in; those that touch no subject are settled, and the plan of a fold goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.domain.events import Event, Fate, Outcome
from service.domain.verdict import DeadLetter, Reason
from service.store.writing import Writes
from service.worker import lookups
from service.worker.roads import End, Move
from service.worker.rules import Rules

DEAD_AT_ONCE: Mapping[Fate, Reason] = {
    Fate.UNREADABLE: Reason.UNREADABLE,
    Fate.UNMAPPED: Reason.UNMAPPED,
    Fate.UNRESOLVED: Reason.UNRESOLVED_SUBJECT,
}


@dataclass(slots=True)
class Plan:
    """Everything one fold will write, and what is told of it afterwards."""

    writes: Writes = field(default_factory=Writes)
    moves: list[Move] = field(default_factory=list)
    ends: list[End] = field(default_factory=list)


def begin(plan: Plan, events: Sequence[Event], rules: Rules) -> list[Event]:
    """Settle what touches no subject; the events that are to be folded come back."""
    folded: list[Event] = []
    for event in events:
        if event.statement.fate is Fate.LOOK_UP:
            plan.writes.looked_up[event.id] = event.source
            why = lookups.waiting_for(event.statement.lookup)
            plan.writes.outcomes[event.id] = (Outcome.WAITING, why)
            plan.ends.append(End(event, Outcome.WAITING))
            continue
        match _end(event, rules):
            case None:
                folded.append(event)
            case DeadLetter() as letter:
                plan.writes.dead[event.id] = letter
                plan.ends.append(End(event, letter.reason))
            case str(why):
                plan.writes.outcomes[event.id] = (Outcome.IGNORED, why)
                plan.ends.append(End(event, Outcome.IGNORED))
    return folded


def _end(event: Event, rules: Rules) -> DeadLetter | str | None:
    """Where an event ends without touching a subject; None when it is to be folded."""
    said = event.statement
    if said.fate is Fate.IGNORED:
        return said.note
    if said.fate is not Fate.FOLD:
        return DeadLetter(DEAD_AT_ONCE[said.fate], said.note)
    if said.ref is None and not said.aliases and not said.follows:
        return DeadLetter(Reason.UNRESOLVED_SUBJECT, "The event names no order.")
    lifecycle = event.home.lifecycle if event.home else said.lifecycle
    if lifecycle not in rules.lifecycles:
        return DeadLetter(Reason.UNMAPPED, unconfigured(lifecycle))
    return None


def unconfigured(lifecycle: str) -> str:
    """Say that a lifecycle is missing, and what to do about it."""
    return (
        f"The lifecycle {lifecycle!r} is not configured: define [lifecycles.{lifecycle}] (again), "
        f"reload every process, then redrive."
    )
