"""How a subject's events, names and syncs stand comes in; what keeps them from going on comes out.

One sentence each, the worst first: whoever looks at a subject should see at once why it is stuck.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from service.domain.remedies import explain

PATIENCE = timedelta(seconds=60)
"""What is owed for longer, and nobody takes it up, is stuck; before, it is on its way."""


class Kind(StrEnum):
    """What stands in the way, the worst first."""

    DEAD_EVENT = "dead_event"
    DEAD_SYNC = "dead_sync"
    NAME_CONFLICT = "name_conflict"
    HELD = "held"
    """A person changed the record, and another one has to decide."""
    PAUSED = "paused"
    FAILING = "failing"
    """The destination cannot be reached, or fails for everybody."""
    WAITING_EVENT = "waiting_event"
    NO_RECORD = "no_record"
    BUDGET = "budget"
    RETRYING = "retrying"
    UNFOLDED = "unfolded"
    UNTOLD = "untold"
    KEPT = "kept"
    """Somebody decided that theirs stays, or that nothing is sent."""
    SHADOW = "shadow"


DECIDED = frozenset({Kind.KEPT, Kind.SHADOW})
"""These are as somebody wants them: worth a word, but nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    kind: Kind
    sentence: str
    remedy: str
    since: datetime | None = None
    destination: str | None = None
    event_id: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """An event that was not folded: it died, waits, or is on its way."""

    event_id: str
    source: str
    says: str
    """As in `payment.paid`."""
    outcome: str
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class Called:
    """A name that leads to several subjects."""

    name: str
    waiting: int
    """Events that know only this name."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Why a destination is not called now."""

    since: datetime
    because: str
    paused_by: str | None = None
    """None: nobody paused it, it fails."""


@dataclass(frozen=True, slots=True)
class Owed:
    """A sync that does not show what it should."""

    destination: str
    state: str
    since: datetime
    error: str = ""
    attempts: int = 0
    due_at: datetime | None = None
    leased: bool = False
    held_for: str | None = None
    differing: Sequence[str] = ()
    dead_because: str | None = None
    closed: Closed | None = None
    spent_until: datetime | None = None
    """Nothing of a limit can be spent before."""
    limit: str = ""


def obstacles(
    told: Iterable[Told], called: Iterable[Called], owed: Iterable[Owed], *, now: datetime
) -> list[Obstacle]:
    """All that stands in the way; empty when everything is done or on its way."""
    found = [
        *(each for event in told if (each := _event(event, now)) is not None),
        *(_name(name) for name in called if name.waiting),
        *(each for sync in owed if (each := _sync(sync, now)) is not None),
    ]
    order = list(Kind)
    return sorted(found, key=lambda each: order.index(each.kind))


def _event(said: Told, now: datetime) -> Obstacle | None:
    whose = f"The event {said.says} of {said.source}"
    match said.outcome:
        case "dead":
            kind, sentence = Kind.DEAD_EVENT, f"{whose} is a dead letter: {_dotted(said.reason)}"
            remedy = "Its dead letter says how to mend it; then redrive or discard it."
        case "waiting":
            kind, sentence = Kind.WAITING_EVENT, f"{whose} {_dotted(said.reason)}"
            remedy = "Link the name it waits for, or let it wait: it goes on by itself."
        case "pending" if now - said.received_at > PATIENCE:
            kind = Kind.UNFOLDED
            sentence = f"{whose} came at {_at(said.received_at)} and nobody has folded it yet."
            remedy = "See whether a relay and a worker run, and RabbitMQ answers them."
        case _:
            return None
    return Obstacle(kind, sentence, remedy, since=said.received_at, event_id=said.event_id)


def _name(said: Called) -> Obstacle:
    wait = "1 event waits" if said.waiting == 1 else f"{said.waiting} events wait"
    return Obstacle(
        Kind.NAME_CONFLICT,
        f"{said.name} leads to several subjects, and {wait} that nobody can place.",
        "Link the name to the right one of them, or merge them if they are the same.",
    )


def _sync(said: Owed, now: datetime) -> Obstacle | None:
    """Its own trouble first, then that of its whole destination, then what passes by itself."""
    match said.state:
        case "synced":
            return None
        case "dead":
            return _dead(said)
        case "held":
            return _held(said)
        case _:
            return _closed(said) or _passing(said, now)


def _dead(said: Owed) -> Obstacle:
    sentence = f"{said.destination} was not told, and will not be: {_dotted(said.error)}"
    remedy = (
        explain(said.dead_because or "").remedy
        if said.dead_because
        else ("Redrive its dead letter once the cause is mended, or discard it.")
    )
    return _of(said, Kind.DEAD_SYNC, sentence, remedy)


def _held(said: Owed) -> Obstacle:
    place = said.destination
    match said.held_for:
        case "person":
            fields = f" ({', '.join(said.differing)})" if said.differing else ""
            return _of(
                said,
                Kind.HELD,
                f"A person changed the record at {place}{fields}: nothing is written there until "
                "somebody decides.",
                "Write ours, or keep theirs until the next version.",
            )
        case "shadow":
            return _of(
                said,
                Kind.SHADOW,
                f"{place} is in shadow: it is compared, and nothing is written.",
                f"Switch off `shadow` of {place} when it may be written.",
            )
        case _:
            because = f": {_dotted(said.error)}" if said.error else "."
            return _of(
                said,
                Kind.KEPT,
                f"Somebody decided that {place} stays as it is until the next version{because}",
                "Write ours if it should not.",
            )


def _closed(said: Owed) -> Obstacle | None:
    shut, place = said.closed, said.destination
    if shut is None:
        return None
    if shut.paused_by is not None:
        return _of(
            said,
            Kind.PAUSED,
            f"{place} is not called: {shut.paused_by} paused it at {_at(shut.since)}: "
            f"{_dotted(shut.because)}",
            f"Resume {place} when it may be called again.",
        )
    return _of(
        said,
        Kind.FAILING,
        f"{place} has been out of order since {_at(shut.since)}: {_dotted(shut.because)}",
        "It is probed every few seconds and told by itself once it answers.",
    )


def _passing(said: Owed, now: datetime) -> Obstacle | None:
    place, again = said.destination, f" It is tried again at {_at(said.due_at)}."
    if said.state == "no_record":
        when = again if said.due_at else ""
        sentence = f"{place} has no record for it yet.{when}"
        remedy = "Create the record there; it is found by itself."
        return _of(said, Kind.NO_RECORD, sentence, remedy)
    if said.spent_until is not None and not said.leased:
        sentence = f"The quota {said.limit} of {place} is spent until {_at(said.spent_until)}."
        return _of(said, Kind.BUDGET, sentence, "It goes on by itself, live work first.")
    if said.attempts:
        times = "once" if said.attempts == 1 else f"{said.attempts} times"
        when = "" if said.leased or not said.due_at else again
        sentence = f"{place} was tried {times} in vain: {_dotted(said.error)}{when}"
        return _of(said, Kind.RETRYING, sentence, "It is repeated by itself; or try it now.")
    if now - said.since > PATIENCE and (said.due_at is None or now - said.due_at > PATIENCE):
        sentence = f"{place} is owed a version since {_at(said.since)}, and nobody takes it there."
        remedy = f"See whether a worker runs, and whether {place} is configured for it."
        return _of(said, Kind.UNTOLD, sentence, remedy)
    return None


def _of(said: Owed, kind: Kind, sentence: str, remedy: str) -> Obstacle:
    return Obstacle(kind, sentence, remedy, since=said.since, destination=said.destination)


def _dotted(text: str) -> str:
    """A reason as the end of a sentence."""
    text = text.strip() or "nobody knows why"
    return text if text[-1] in ".!?…" else f"{text}."


def _at(moment: datetime | None) -> str:
    return f"{moment:%F %T} UTC" if moment else "an unknown time"
