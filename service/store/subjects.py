"""Subjects and their versions: who they are, how they stand, and what a fold makes of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from service.domain.errors import StoreUnavailable
from service.domain.events import Subject
from service.store import sql
from service.store.pool import Connection

SQL = sql.load("subjects")


@dataclass(frozen=True, slots=True)
class Row:
    """A subject as it stands, locked until the transaction ends."""

    id: int
    subject: Subject
    status: str
    version: int
    law: int
    state: dict[str, Any] | None
    merged_into: int | None = None
    """Its survivor, if it is a tombstone."""
    lifecycle_hash: str = ""
    """The fingerprint of the lifecycle it was folded by."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A subject after a fold."""

    id: int
    status: str
    version: int
    law: int
    state: dict[str, Any]
    flags: Sequence[str] = ()
    lifecycle_hash: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One new version of a subject and what led to it."""

    subject_id: int
    version: int
    previous: str
    status: str
    lanes: Mapping[str, str]
    occurred_at: datetime | None
    event_ids: Sequence[UUID]
    cause: str = ""
    """What led to it besides events."""


async def lock_present(tx: Connection, subjects: Iterable[Subject]) -> dict[Subject, Row]:
    """Lock those of the subjects that exist, in (lifecycle, scope, ref) order."""
    rows = await tx.fetch(SQL["lock"], *columns(subjects))
    return {row.subject: row for row in map(read, rows)}


async def lock_survivors(tx: Connection, subjects: Iterable[Subject]) -> dict[Subject, Row]:
    """The same, but in place of a tombstone comes its survivor, under the name asked for."""
    asked = set(subjects)
    rows = {row["id"]: read(row) for row in await tx.fetch(SQL["lock_survivors"], *columns(asked))}
    return {row.subject: _survivor(row, rows) for row in rows.values() if row.subject in asked}


def _survivor(row: Row, rows: Mapping[int, Row]) -> Row:
    now = row
    while now.merged_into is not None:
        if now.merged_into not in rows:
            raise StoreUnavailable(f"{row.subject} is being merged; try again at once.")
        now = rows[now.merged_into]
    return now


async def bury(tx: Connection, loser: int, *, into: int) -> None:
    """Make a locked subject a tombstone: whoever comes to it is sent to its survivor."""
    await tx.execute(SQL["bury"], loser, into)


def read(row: asyncpg.Record) -> Row:
    return Row(
        id=row["id"],
        subject=Subject(row["lifecycle"], row["scope"], row["ref"]),
        status=row["status"],
        version=row["version"],
        law=row["law"],
        state=row["state"],
        merged_into=row["merged_into"],
        lifecycle_hash=row["lifecycle_hash"],
    )


def columns(subjects: Iterable[Subject]) -> tuple[list[str], list[str], list[str]]:
    """The parts of subjects, each once and sorted as everybody locks them."""
    ordered = sorted(set(subjects))
    return (
        [name.lifecycle for name in ordered],
        [name.scope for name in ordered],
        [name.ref for name in ordered],
    )
