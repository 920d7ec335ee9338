"""Statuses that people set and events they take back: a decision in, the subject after it out."""

from typing import NoReturn
from uuid import UUID

from service.domain.errors import Declined, Misnamed, NotFound
from service.domain.events import Outcome, Subject
from service.domain.lifecycle import Lifecycle
from service.ops.decisions import Hand, open_subject, record
from service.ops.lookups import Body
from service.store import corrections
from service.store.corrections import Place
from service.store.pool import Connection, transaction
from service.worker.refold import refold

FOLDED = frozenset({Outcome.APPLIED, Outcome.SUPERSEDED, Outcome.REVOKED})
"""Where an event is a part of what its subject is folded from."""


async def correct(hand: Hand, name: Subject, *, lane: str, status: str, reason: str) -> Body:
    """Put a lane on a status, whatever events say, until that is released."""
    async with transaction(hand.pool) as tx:
        row = await open_subject(tx, hand, name)
        expect_status(hand.rules.lifecycles[name.lifecycle], lane, status)
        made = await corrections.correct(
            tx, row.id, lane=lane, status=status, reason=reason, actor=hand.actor
        )
        detail = {"correction": made, "lane": lane, "status": status, "reason": reason}
        await record(tx, hand, "correct", target=name, detail=detail)
        cause = f"{hand.actor} set {lane}.{status}: {reason}"
        await refold(tx, [row], rules=hand.rules, cause=cause)
    return await hand.page(name)


async def release(hand: Hand, name: Subject, correction_id: int) -> Body:
    """Let what events say be seen again, or what an earlier correction said."""
    async with transaction(hand.pool) as tx:
        row = await open_subject(tx, hand, name)
        found = await corrections.find(tx, correction_id)
        if found is None or (await corrections.survivor(tx, found.subject_id))[0] != row.id:
            raise NotFound(f"{name} has no correction {correction_id}; its page lists them.")
        if found.released_at is not None:
            raise Declined(
                f"Correction {correction_id} was released by {found.released_by} at "
                f"{found.released_at:%F %T} UTC already."
            )
        await corrections.release(tx, correction_id, actor=hand.actor)
        detail = {"correction": correction_id, "lane": found.lane, "status": found.status}
        await record(tx, hand, "release", target=name, detail=detail)
        cause = f"{hand.actor} released {found.lane}.{found.status}"
        await refold(tx, [row], rules=hand.rules, cause=cause)
    return await hand.page(name)


async def roll_back(hand: Hand, name: Subject, event_id: UUID, *, reason: str) -> Body:
    """Fold the subject as if an event had never been accepted."""
    async with transaction(hand.pool) as tx:
        row = await open_subject(tx, hand, name)
        found = await _own(tx, row.id, name, event_id)
        await corrections.roll_back(
            tx, event_id, subject_id=row.id, reason=reason, actor=hand.actor
        )
        detail = {
            "event_id": str(event_id),
            "lane": found.lane,
            "status": found.status,
            "reason": reason,
        }
        await record(tx, hand, "roll_back", target=name, detail=detail)
        cause = f"{hand.actor} rolled back event {event_id}: {reason}"
        await refold(tx, [row], rules=hand.rules, because=[event_id], cause=cause)
    return await hand.page(name)


def expect_status(lifecycle: Lifecycle, lane: str, status: str) -> None:
    """Misnamed says which lanes, or which statuses of the lane, there are."""
    if lane not in lifecycle.lanes:
        raise Misnamed(
            f"The lifecycle {lifecycle.name} has no lane {lane!r}; "
            f"it has {', '.join(lifecycle.lanes)}."
        )
    known = lifecycle.lanes[lane].statuses
    if status not in known:
        raise Misnamed(f"The lane {lane} has no status {status!r}; it has {', '.join(known)}.")


async def _own(tx: Connection, subject_id: int, name: Subject, event_id: UUID) -> Place:
    """The event, if it is one that this subject is folded from."""
    found = await corrections.place(tx, event_id)
    if found is None:
        raise NotFound(f"There is no event {event_id}; take the id from the history of {name}.")
    if found.subject_id is None:
        _decline_place(event_id, found)
    owner, survivor = await corrections.survivor(tx, found.subject_id)
    if owner != subject_id:
        raise Declined(f"The event {event_id} belongs to {survivor}, not to {name}.")
    if found.rolled_back_by is not None:
        raise Declined(
            f"The event {event_id} was rolled back by {found.rolled_back_by} at "
            f"{found.rolled_back_at:%F %T} UTC already."
        )
    if found.outcome not in FOLDED:
        _decline_place(event_id, found)
    return found


def _decline_place(event_id: UUID, found: Place) -> NoReturn:
    match found.outcome:
        case Outcome.PENDING:
            why = "is still on its way to the fold; try again in a moment"
        case Outcome.DEAD:
            why = "is a dead letter and moves nothing; discard it instead"
        case Outcome.WAITING:
            why = "waits for its order and moves nothing yet"
        case _:
            why = f"is {found.outcome or 'in no bucket'} and moves nothing"
    raise Declined(f"The event {event_id} {why}.")
