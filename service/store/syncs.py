"""Syncs: what each destination is owed, under leases that a frozen worker cannot outlive."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

import asyncpg

from service.domain.drift import Difference, Shown
from service.domain.events import Subject
from service.domain.routing import PRIORITIES
from service.domain.verdict import DeadLetter
from service.store import dead_letters, epoch, ids, sql
from service.store.pool import Connection

SQL = sql.load("syncs")

NORMAL = PRIORITIES["normal"]
CLASSES = tuple(PRIORITIES.values())
RECENT = timedelta(hours=6)
"""Most of what is owed changed less long ago, by whatever clock."""


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


Held = Literal["person", "shadow", "operator"]


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
    told_previous: str | None
    """What was shown there before this version was told for the first time."""
    told_event_ids: Sequence[UUID]
    """The events since then, the same however often it is told."""
    synced_version: int = 0
    verify: int = 0
    """0 nothing; 1 read before writing; 2 and 3 read once more what was settled."""
    remote_id: str | None = None
    remote_token: str | None = None
    written: Shown | None = None
    """What we wrote or read last."""
    written_hash: bytes | None = None
    """A digest of the last whole write that stands; None when that is not known."""
    intents: Sequence[Shown] = ()
    """What was sent and nobody told what came of it, the newest first."""
    held_for: Held | None = None
    overrule: bool = False


@dataclass(frozen=True, slots=True)
class Intent:
    """What is about to be sent, stored before it is sent."""

    lease: Lease
    version: int
    hash: bytes
    key: str
    shown: Sequence[Shown] = ()
    """What the record will show, and before that what earlier intents would."""
    found: Shown | None = None
    """What it was just seen to show."""
    remote_id: str | None = None


@dataclass(frozen=True, slots=True)
class Settled:
    lease: Lease
    version: int
    status: str
    remote_id: str | None = None
    token: str | None = None
    written: Shown | None = None
    hash: bytes | None = None
    again: bool = False
    """Read it once more, when no call of others can be on its way any more."""


@dataclass(frozen=True, slots=True)
class Left:
    """A version that is not shown yet: tried later, dead, or held back."""

    lease: Lease
    version: int
    state: Literal["pending", "no_record", "dead", "held"]
    delay: timedelta | None = None
    """None: not before a newer version is desired."""
    counted: bool = True
    failing: bool = True
    differs: bool = False
    """It was read, and shows something else."""
    error: str | None = None
    unsure: bool = False
    """It may have been written."""
    sent: bool = False
    """A call was made that would have written it."""
    shown: Sequence[Shown] = ()
    found: Shown | None = None
    remote_id: str | None = None
    token: str | None = None
    forget: bool = False
    """The record is not there any more under the id that is known."""
    held_for: Held | None = None
    difference: Mapping[str, Difference] | None = None
    letter: DeadLetter | None = None


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
    """What stands to be written under leases that still hold; what is no recent news costs more."""
    recent = ids.around_now(RECENT)
    rows = await tx.fetch(SQL["load"], *_keys(leases), destination, *recent, epoch.SPAN)
    whole = [row for row in rows if row["whole"]]
    if len(whole) < len(rows):
        older = {row["subject_id"] for row in rows if not row["whole"]}
        again = [lease for lease in leases if lease.subject_id in older]
        whole += await tx.fetch(SQL["load"], *_keys(again), destination, *ids.ALL, epoch.SPAN)
    return [_owed(row, destination) for row in whole]


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
        [_shown(intent.shown) for intent in intents],
        [intent.found for intent in intents],
        [intent.remote_id for intent in intents],
        lease,
        destination,
    )
    return {row["subject_id"] for row in rows}


async def renew(
    tx: Connection, leases: Sequence[Lease], *, destination: str, lease: timedelta
) -> set[int]:
    """Hold leases for longer; returns the subjects whose lease still held."""
    rows = await tx.fetch(SQL["renew"], *_keys(leases), lease, destination)
    return {row["subject_id"] for row in rows}


async def release(tx: Connection, leases: Sequence[Lease], *, destination: str) -> None:
    """Give leases back unused: due now for whoever has room."""
    await tx.execute(SQL["release"], *_keys(leases), destination)


async def settle(
    tx: Connection,
    settled: Sequence[Settled],
    *,
    destination: str,
    life: timedelta,
    attempts: Sequence[Attempt] = (),
) -> dict[int, bool]:
    """The destination shows these versions; tells of each fence that held whether more is due.

    `attempts` are what led there, kept whoever won the lease. `life` is how long a call of somebody
    else may still be on its way.
    """
    rows = await tx.fetch(
        SQL["settle"],
        *_keys([row.lease for row in settled]),
        [row.version for row in settled],
        [row.status for row in settled],
        [row.remote_id for row in settled],
        [row.token for row in settled],
        [row.written for row in settled],
        [row.hash for row in settled],
        [row.again for row in settled],
        life,
        destination,
        *_exchanges(attempts),
    )
    return {row["subject_id"]: row["more"] for row in rows}


async def leave(tx: Connection, left: Sequence[Left], *, destination: str) -> set[int]:
    """Try again later, by the database clock, or give up; a newer version is tried at once."""
    rows = await tx.fetch(
        SQL["leave"],
        *_keys([row.lease for row in left]),
        [row.version for row in left],
        [row.state for row in left],
        [row.delay for row in left],
        [row.counted for row in left],
        [row.failing for row in left],
        [row.differs for row in left],
        [row.error for row in left],
        [row.unsure for row in left],
        [row.sent for row in left],
        [_shown(row.shown) for row in left],
        [row.found for row in left],
        [row.remote_id for row in left],
        [row.token for row in left],
        [row.forget for row in left],
        [row.held_for for row in left],
        [row.difference for row in left],
        destination,
    )
    letters = {row.lease.subject_id: row.letter for row in left}
    dead = [row["subject_id"] for row in rows if row["state"] == "dead"]
    found = {each: letter for each in dead if (letter := letters[each]) is not None}
    await dead_letters.bury_syncs(tx, found, destination=destination)
    return {row["subject_id"] for row in rows}


async def doubt(tx: Connection, late: Mapping[int, Shown], *, destination: str) -> None:
    """Somebody else has these syncs, but this was, or may have been, written: read them again."""
    await tx.execute(SQL["doubt"], list(late), list(late.values()), destination)


async def revive(tx: Connection, destination: str, *, limit: int) -> int:
    """Owe again what was held in shadow; returns how many."""
    return len(await tx.fetch(SQL["revive"], destination, limit))


async def record(tx: Connection, attempts: Sequence[Attempt], *, destination: str) -> None:
    """Keep every exchange, whoever won the lease."""
    await tx.execute(SQL["attempt"], destination, *_exchanges(attempts))


def _exchanges(attempts: Sequence[Attempt]) -> tuple[Sequence[object], ...]:
    return (
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


def _shown(shown: Sequence[Shown]) -> Mapping[str, Sequence[Shown]] | None:
    return {"shown": shown} if shown else None


def _owed(row: asyncpg.Record, destination: str) -> Owed:
    told_ids = row["told_event_ids"]
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
        told_previous=row["told_previous"],
        told_event_ids=row["event_ids"] if told_ids is None else told_ids,
        synced_version=row["synced_version"],
        verify=row["verify"],
        remote_id=row["remote_id"],
        remote_token=row["remote_token"],
        written=row["written"],
        written_hash=row["written_hash"],
        intents=(row["intent"] or {}).get("shown", ()),
        held_for=row["held_for"],
        overrule=row["overrule"],
    )
