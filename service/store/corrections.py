"""What people decided about a subject: statuses they set, events they took back."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service.domain.events import Subject
from service.store import sql
from service.store.pool import Connection

SQL = sql.load("corrections")


@dataclass(frozen=True, slots=True)
class Correction:
    """A status that stands in a lane whatever events say, until it is released."""

    id: int
    subject_id: int
    lane: str
    status: str
    released_at: datetime | None
    released_by: str | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where an event belongs and what became of it."""

    lane: str | None
    status: str | None
    subject_id: int | None
    subject: Subject | None
    outcome: str | None
    rolled_back_by: str | None
    rolled_back_at: datetime | None


async def correct(
    tx: Connection, subject_id: int, *, lane: str, status: str, reason: str, actor: str
) -> int:
    """Set a status; its id decides which of several in a lane is the last word."""
    found: int = await tx.fetchval(SQL["correct"], subject_id, lane, status, reason, actor)
    return found


async def find(tx: Connection, correction_id: int) -> Correction | None:
    """A correction, locked."""
    row = await tx.fetchrow(SQL["find"], correction_id)
    return Correction(**row) if row else None


async def release(tx: Connection, correction_id: int, *, actor: str) -> None:
    await tx.execute(SQL["release"], correction_id, actor)


async def roll_back(
    tx: Connection, event_id: UUID, *, subject_id: int, reason: str, actor: str
) -> None:
    await tx.execute(SQL["roll_back"], event_id, subject_id, reason, actor)


async def place(tx: Connection, event_id: UUID) -> Place | None:
    """Where an event stands; None when there is no such event."""
    row = await tx.fetchrow(SQL["event"], event_id)
    if row is None:
        return None
    known = row["ref"] is not None
    return Place(
        lane=row["lane"],
        status=row["status"],
        subject_id=row["subject_id"],
        subject=Subject(row["lifecycle"], row["scope"], row["ref"]) if known else None,
        outcome=row["outcome"],
        rolled_back_by=row["rolled_back_by"],
        rolled_back_at=row["rolled_back_at"],
    )


async def survivor(tx: Connection, subject_id: int) -> tuple[int, Subject]:
    """The subject that stands for this one today."""
    row = await tx.fetchrow(SQL["survivor"], subject_id)
    assert row is not None
    return row["id"], Subject(row["lifecycle"], row["scope"], row["ref"])
