"""What destinations were seen to show comes in; what follows for what is owed is written down."""

from collections.abc import Iterable, Sequence
from typing import Literal

from service.domain import drift
from service.domain.drift import Shown
from service.settings import Destination
from service.store import sightings, syncs
from service.store.pool import Connection
from service.store.sightings import Seen
from service.store.syncs import Attempt
from service.worker import readback
from service.worker.readback import Sight

Repair = Literal["owed", "held", "settled"]


def repair(sight: Sight, rule: Destination) -> Repair | None:
    """What should become of a sync; None: nothing, or whoever has it in hand knows better."""
    standing, outcome = sight.standing, sight.outcome
    if standing.leased or outcome not in ("right", "drifted", "missing"):
        return None
    match standing.sync:
        case "synced" if outcome != "right":
            return "held" if _is_held(sight, rule) else "owed"
        case "no_record" if outcome != "missing":
            return "owed"
        case "held" if outcome == "right":
            return "settled"
        case "held" if standing.held_for == "person" and _is_held(sight, rule):
            return "held"  # the difference may be another one by now
        case _:
            return None


async def mend(
    tx: Connection, sights: Sequence[Sight], rule: Destination, *, priority: int
) -> dict[int, Repair]:
    """Owe, hold or settle what was seen; by subject, what was done."""
    wanted = [(sight, verdict) for sight in sights if (verdict := repair(sight, rule))]
    done: dict[int, Repair] = {}
    if owed := [_seen(sight, rule) for sight, verdict in wanted if verdict == "owed"]:
        some = await sightings.owe(tx, owed, destination=rule.name, priority=priority)
        done |= dict.fromkeys(some, "owed")
    if held := [_seen(sight, rule) for sight, verdict in wanted if verdict == "held"]:
        some = await sightings.hold(tx, held, destination=rule.name)
        done |= dict.fromkeys(some, "held")
    if right := [_seen(sight, rule) for sight, verdict in wanted if verdict == "settled"]:
        some = await sightings.settle(tx, right, destination=rule.name)
        done |= dict.fromkeys(some, "settled")
    return done


async def record(tx: Connection, sights: Iterable[Sight], *, destination: str) -> None:
    """Keep the exchanges there were, as those of the workers are kept."""
    attempts = [
        Attempt(
            operation=answer.operation,
            subject_id=sight.standing.subject_id,
            version=sight.standing.version,
            kind=answer.kind.value,
            http_status=answer.http_status,
            ms=ms,
            detail=answer.detail or said(sight),
        )
        for sight in sights
        for answer, ms in sight.answers
    ]
    if attempts:
        await syncs.record(tx, attempts, destination=destination)


def said(sight: Sight) -> str:
    """What a destination showed, in a sentence."""
    name = sight.standing.destination
    match sight.outcome:
        case "right":
            return f"{name} shows what it should."
        case "drifted" if sight.drift is not None:
            return f"{name} shows something else in {drift.spoken(sight.drift.differences)}."
        case _:
            return sight.detail


def _is_held(sight: Sight, rule: Destination) -> bool:
    return not rule.shadow and readback.by_person(sight, rule)


def _seen(sight: Sight, rule: Destination) -> Seen:
    differences = dict(sight.drift.differences) if sight.drift else None
    theirs = {name: each for name, each in (differences or {}).items() if _theirs(sight, name)}
    summary = (
        f"A person changed it at {rule.name} ({drift.spoken(theirs)}): decide which stands, "
        "or set it there to what it should be."
    )
    return Seen(
        sight.standing,
        remote_id=sight.record.remote_id if sight.record else None,
        written=_with(sight),
        difference=differences,
        summary=summary,
    )


def _theirs(sight: Sight, name: str) -> bool:
    return sight.drift is not None and name in sight.drift.by_person


def _with(sight: Sight) -> Shown:
    return {**(sight.standing.written or {}), **sight.wanted}
