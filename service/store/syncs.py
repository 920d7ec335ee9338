"""Syncs: what each destination is owed, under leases that a frozen worker cannot outlive."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from service.domain.events import Subject
from service.domain.routing import PRIORITIES
from service.domain.verdict import DeadLetter
from service.store import dead_letters, ids, sql
from service.store.pool import Connection

SQL = sql.load("syncs")

NORMAL = PRIORITIES["normal"]
CLASSES = tuple(PRIORITIES.values())


@dataclass(frozen=True, slots=True)
class Debt:
    """A version of a subject that a destination should know."""

    subject_id: int
    destination: str
    version: int
    lease: timedelta | None
    """For how long whoever owes it means to hold it; None: it is due at once, for anybody."""
    priority: int = 5


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to write one sync until it is released, settled or runs out."""

    subject_id: int
    destination: str
    fence: int
    priority: int = NORMAL


@dataclass(frozen=True, slots=True)
class Owed:
    """Everything a call needs to know, read in one snapshot."""

    lease: Lease
    subject: Subject
    status: str
    previous: str | None
    version: int
    state: Mapping[str, Any]
    event_ids: Sequence[UUID]
    changed_at: datetime
    occurred_at: datetime | None
    attempts: int
    failing_for: timedelta


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent, stored before it is sent."""

    lease: Lease
    version: int
    hash: bytes
    key: str


@dataclass(frozen=True, slots=True)
class Settled:
    lease: Lease
    version: int
    status: str


@dataclass(frozen=True, slots=True)
class Delayed:
    lease: Lease
    state: str
    delay: timedelta
    error: str


@dataclass(frozen=True, slots=True)
class Killed:
    lease: Lease
    version: int
    letter: DeadLetter


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange with the outside."""

    operation: str
    subject_id: int
    version: int
    kind: str
    http_status: int | None
    ms: int
    detail: str


async def claim(
    tx: Connection,
    destination: str,
    *,
    limit: int,
    lease: timedelta,
    classes: Collection[int] = CLASSES,
) -> list[Lease]:
    """Lease what is due, including what a dead or frozen worker still held; the urgent first."""
    rows = await tx.fetch(SQL["claim"], destination, limit, ids.new_id(), lease, sorted(classes))
    return [_lease(row) for row in rows]


async def urgent(
    tx: Connection, destination: str, subject_ids: Sequence[int], *, classes: Collection[int]
) -> dict[int, int]:
    """Of these subjects those that are in one of the classes now, and in which."""
    rows = await tx.fetch(SQL["urgent"], destination, sorted(classes), subject_ids)
    return {row["subject_id"]: row["priority"] for row in rows}


async def hold(tx: Connection, leases: Iterable[Lease], *, destination: str) -> None:
    """Lock syncs in one order before writing them: another worker may be at the same ones."""
    await tx.execute(SQL["hold"], [lease.subject_id for lease in leases], destination)


async def load(tx: Connection, leases: Sequence[Lease], *, destination: str) -> list[Owed]:
    """What stands to be written under leases that still hold."""
    rows = await tx.fetch(SQL["load"], *_keys(leases), destination)
    return [_owed(row, destination) for row in rows]


async def intend(
    tx: Connection, intents: Sequence[Intent], *, destination: str, lease: timedelta
) -> set[int]:
    """Store intents and renew their leases; returns the subjects whose lease still held."""
    rows = await tx.fetch(
        SQL["intend"],
        *_keys([intent.lease for intent in intents]),
        [intent.version for intent in intents],
        [intent.hash for intent in intents],
        [intent.key for intent in intents],
        lease,
        destination,
    )
    return {row["subject_id"] for row in rows}


async def release(tx: Connection, leases: Sequence[Lease], *, destination: str) -> None:
    """Give leases back unused: due now for whoever has room."""
    await tx.execute(SQL["release"], *_keys(leases), destination)


async def settle(
    tx: Connection, settled: Sequence[Settled], *, destination: str
) -> dict[int, bool]:
    """The destination shows these versions; tells of each fence that held whether more is owed."""
    rows = await tx.fetch(
        SQL["settle"],
        *_keys([row.lease for row in settled]),
        [row.version for row in settled],
        [row.status for row in settled],
        destination,
    )
    return {row["subject_id"]: row["more"] for row in rows}


async def delay(tx: Connection, delayed: Sequence[Delayed], *, destination: str) -> set[int]:
    """Try again later, by the database clock."""
    rows = await tx.fetch(
        SQL["retry"],
        *_keys([row.lease for row in delayed]),
        [row.state for row in delayed],
        [row.delay for row in delayed],
        [row.error for row in delayed],
        destination,
    )
    return {row["subject_id"] for row in rows}


async def kill(tx: Connection, killed: Sequence[Killed], *, destination: str) -> set[int]:
    """Give up on these versions; a newer one that is desired already is tried at once instead."""
    rows = await tx.fetch(
        SQL["kill"],
        *_keys([row.lease for row in killed]),
        [row.version for row in killed],
        [row.letter.summary for row in killed],
        destination,
    )
    dead = {row["subject_id"] for row in rows if row["state"] == "dead"}
    letters = {row.lease.subject_id: row.letter for row in killed}
    await dead_letters.bury_syncs(
        tx, {subject: letters[subject] for subject in dead}, destination=destination
    )
    return {row["subject_id"] for row in rows}


async def record(tx: Connection, attempts: Sequence[Attempt], *, destination: str) -> None:
    """Keep every exchange, whoever won the lease."""
    await tx.execute(
        SQL["attempt"],
        destination,
        [ids.new_id() for _ in attempts],
        [attempt.operation for attempt in attempts],
        [attempt.subject_id for attempt in attempts],
        [attempt.version for attempt in attempts],
        [attempt.kind for attempt in attempts],
        [attempt.http_status for attempt in attempts],
        [attempt.ms for attempt in attempts],
        [attempt.detail for attempt in attempts],
    )


def _keys(leases: Sequence[Lease]) -> tuple[list[int], list[int]]:
    return [lease.subject_id for lease in leases], [lease.fence for lease in leases]


def _lease(row: asyncpg.Record) -> Lease:
    return Lease(row["subject_id"], row["destination"], row["fence"], row["priority"])


def _owed(row: asyncpg.Record, destination: str) -> Owed:
    return Owed(
        lease=Lease(row["subject_id"], destination, row["fence"]),
        subject=Subject(row["lifecycle"], row["scope"], row["ref"]),
        status=row["status"],
        previous=row["synced_status"],
        version=row["version"],
        state=row["state"],
        event_ids=row["event_ids"],
        changed_at=row["at"],
        occurred_at=row["occurred_at"],
        attempts=row["attempts"],
        failing_for=row["failing_for"],
    )
