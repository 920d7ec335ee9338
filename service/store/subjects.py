"""Subjects and their versions: locked in one order, saved in one step."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.events import Subject
from service.store import ids, sql
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


@dataclass(frozen=True, slots=True)
class Saved:
    """A subject after a fold."""

    id: int
    status: str
    version: int
    law: int
    state: dict[str, Any]


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


async def lock(tx: Connection, subjects: Iterable[Subject]) -> dict[Subject, Row]:
    """Make the subjects exist, then lock them, each in (lifecycle, scope, ref) order.

    In this sequence: who waits for a subject another one is making must not hold one already.
    """
    wanted = set(subjects)
    await tx.execute(SQL["enter"], *_columns(wanted))
    return await lock_present(tx, wanted)


async def lock_present(tx: Connection, subjects: Iterable[Subject]) -> dict[Subject, Row]:
    """Lock those of the subjects that exist, in the same order."""
    rows = await tx.fetch(SQL["lock"], *_columns(subjects))
    found = (
        Row(
            id=row["id"],
            subject=Subject(row["lifecycle"], row["scope"], row["ref"]),
            status=row["status"],
            version=row["version"],
            law=row["law"],
            state=row["state"],
        )
        for row in rows
    )
    return {row.subject: row for row in found}


def _columns(subjects: Iterable[Subject]) -> tuple[list[str], list[str], list[str]]:
    ordered = sorted(set(subjects))
    return (
        [name.lifecycle for name in ordered],
        [name.scope for name in ordered],
        [name.ref for name in ordered],
    )


async def save(tx: Connection, saved: Sequence[Saved], *, steps: Sequence[Step]) -> None:
    """Write the folded subjects and their new versions."""
    if saved:
        await tx.execute(
            SQL["save"],
            [row.id for row in saved],
            [row.status for row in saved],
            [row.version for row in saved],
            [row.law for row in saved],
            [row.state for row in saved],
        )
    if steps:
        await tx.execute(
            SQL["step"],
            [ids.new_id() for _ in steps],
            [step.subject_id for step in steps],
            [step.version for step in steps],
            [step.previous for step in steps],
            [step.status for step in steps],
            [dict(step.lanes) for step in steps],
            [step.occurred_at for step in steps],
            [_array(step.event_ids) for step in steps],
        )


def _array(event_ids: Sequence[UUID]) -> str:
    """A uuid[] literal: an array of arrays of different lengths cannot travel as one."""
    return "{" + ",".join(map(str, event_ids)) + "}"
