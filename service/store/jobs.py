"""Jobs: long work over many rows, taken stride by stride under a lease that is the due time."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg

from service.store import ids, sql
from service.store.pool import Connection

SQL = sql.load("jobs")

LEASE = timedelta(seconds=30)
"""Longer than any stride and the pause behind it; a job of a dead process goes on after it."""

Kind = Literal["redrive", "discard", "replay", "refold", "reconcile"]
State = Literal["awaiting_approval", "queued", "running", "finished", "failed", "cancelled"]

STATEMENT_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True)
class Job:
    id: UUID
    kind: Kind
    actor: str
    request: Mapping[str, Any]
    """What was asked for, as its kind understands it."""
    rate: int
    """Rows per second."""
    state: State
    due_at: datetime | None
    """When another process may take it over; the fence of who runs it now."""
    cursor: str | None
    matched: int
    done: int
    skipped: int
    error: str | None
    created_at: datetime
    finished_at: datetime | None
    counts: Mapping[str, int] | None = None
    """What was found so far, by the words of its kind; None where it counts nothing else."""
    approved_by: str | None = None
    """The second person, where two must want it."""


@dataclass(frozen=True, slots=True)
class Filter:
    kind: str | None = None
    state: str | None = None


async def add(  # noqa: PLR0913
    tx: Connection,
    kind: Kind,
    *,
    actor: str,
    request: Mapping[str, Any],
    rate: int,
    matched: int,
    mine: bool = False,
    awaits: bool = False,
) -> Job:
    """Put a job in line; with `mine` it is claimed already, by whoever adds it.

    With `awaits` it is neither, until somebody approves it.
    """
    lease = LEASE if mine else None
    row = await tx.fetchrow(
        SQL["add"], ids.new_id(), kind, actor, dict(request), rate, matched, lease, awaits
    )
    return _job(row)


async def claim(tx: Connection, kinds: Collection[str]) -> Job | None:
    """Take the job that waits longest, or whose process died."""
    row = await tx.fetchrow(SQL["claim"], list(kinds), LEASE)
    return _job(row) if row else None


async def hold(tx: Connection, job: Job) -> Job | None:
    """Lock a claimed job for one stride; None when another process has taken it over."""
    row = await tx.fetchrow(SQL["hold"], job.id, job.due_at)
    return _job(row) if row else None


async def advance(
    tx: Connection,
    job: Job,
    *,
    cursor: str | None,
    done: int,
    skipped: int,
    counts: Mapping[str, int],
) -> Job:
    """Note a stride in the transaction that took it, and renew the lease."""
    known = _counted(job, counts)
    return _job(await tx.fetchrow(SQL["advance"], job.id, cursor, done, skipped, LEASE, known))


async def finish(
    tx: Connection, job: Job, *, done: int, skipped: int, counts: Mapping[str, int]
) -> Job:
    """End the job; what it matched and did not do counts as skipped."""
    known = _counted(job, counts)
    return _job(await tx.fetchrow(SQL["finish"], job.id, done, skipped, known))


async def fail(tx: Connection, job: Job, *, error: str) -> None:
    await tx.execute(SQL["fail"], job.id, job.due_at, error)


async def release(tx: Connection, job: Job) -> None:
    """Let another process go on at once."""
    await tx.execute(SQL["release"], job.id, job.due_at)


async def read(tx: Connection, job_id: UUID) -> Job | None:
    row = await tx.fetchrow(SQL["read"], job_id)
    return _job(row) if row else None


async def listed(
    tx: Connection, wanted: Filter, *, before: UUID | None, limit: int
) -> Sequence[Job]:
    """The jobs asked for last, first."""
    await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
    rows = await tx.fetch(SQL["listed"], wanted.kind, wanted.state, before, limit)
    return [_job(row) for row in rows]


async def lock(tx: Connection, job_id: UUID) -> Job | None:
    """The job as it stands, until the transaction ends."""
    row = await tx.fetchrow(SQL["lock"], job_id)
    return _job(row) if row else None


async def approve(tx: Connection, job: Job, *, actor: str) -> Job:
    """Put a locked job in line."""
    return _job(await tx.fetchrow(SQL["approve"], job.id, actor))


async def cancel(tx: Connection, job: Job, *, why: str) -> Job:
    """End a locked job; what it did so far stays done."""
    return _job(await tx.fetchrow(SQL["cancel"], job.id, why))


async def overdue(tx: Connection, *, after: timedelta, limit: int) -> Sequence[Job]:
    """Lock jobs that nobody approved for so long."""
    return [_job(row) for row in await tx.fetch(SQL["overdue"], after, limit)]


async def turn(tx: Connection, destination: str, *, every: timedelta) -> tuple[bool, bool]:
    """Whether it is reconciled now, and whether it is time again; locks out others who ask."""
    await tx.fetchval(SQL["alone"], destination)
    row = await tx.fetchrow(SQL["turn"], destination, every)
    assert row is not None
    return row["busy"], row["due"]


def _counted(job: Job, counts: Mapping[str, int]) -> dict[str, int] | None:
    before = job.counts or {}
    known = {name: before.get(name, 0) + counts.get(name, 0) for name in {**before, **counts}}
    return known or None


def _job(row: asyncpg.Record | None) -> Job:
    assert row is not None
    return Job(**row)
