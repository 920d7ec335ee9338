"""Syncs as they stand, to be held against what a destination shows; what was seen is written back.

Nothing is leased to look. Whoever leased, decided or raised a version meanwhile knows better, so
every change here goes by the fence and the version that were read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from service.domain.drift import Difference, Shown
from service.domain.events import Subject
from service.store import sql
from service.store.pool import Connection
from service.store.syncs import Held

SQL = sql.load("sightings")

Differences = Mapping[str, Difference]


@dataclass(frozen=True, slots=True)
class Standing:
    """One sync and the subject behind it, read without a lease."""

    subject_id: int
    destination: str
    subject: Subject
    status: str
    version: int
    state: Mapping[str, Any]
    changed_at: datetime
    sync: str
    """`pending`, `synced`, `no_record`, `held` or `dead`."""
    fence: int
    desired: int
    synced: int
    leased: bool
    remote_id: str | None = None
    written: Shown | None = None
    intents: Sequence[Shown] = ()
    held_for: Held | None = None
    overrule: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What is to be written down of one that was looked at."""

    standing: Standing
    remote_id: str | None = None
    written: Shown | None = None
    difference: Differences | None = None
    summary: str | None = None


async def of_subject(tx: Connection, name: Subject) -> list[Standing]:
    """Every sync of one subject."""
    return [_standing(row) for row in await tx.fetch(SQL["of_subject"], *name)]


async def page(
    tx: Connection, destination: str, *, since: datetime | None, after: int, limit: int
) -> list[Standing]:
    """Syncs that claim to show something or are held, in the order of their subjects' ids."""
    rows = await tx.fetch(SQL["page"], destination, since, after, limit)
    return [_standing(row) for row in rows]


async def extent(
    tx: Connection, destination: str, *, since: datetime | None
) -> tuple[int, list[str]]:
    """How many syncs there are to look at, and of which lifecycles."""
    rows = await tx.fetch(SQL["extent"], destination, since)
    return sum(row["syncs"] for row in rows), [row["lifecycle"] for row in rows]


async def by_records(
    tx: Connection, destination: str, lifecycle: str, remote_ids: Sequence[str]
) -> list[Standing]:
    """Those whose records have these ids."""
    rows = await tx.fetch(
        SQL["by_records"], destination, lifecycle, f"record:{destination}", remote_ids
    )
    return [_standing(row) for row in rows]


async def by_refs(
    tx: Connection, destination: str, lifecycle: str, refs: Sequence[str]
) -> list[Standing]:
    """Those with these numbers and no scope."""
    rows = await tx.fetch(SQL["by_refs"], destination, lifecycle, refs)
    return [_standing(row) for row in rows]


async def owe(tx: Connection, seen: Sequence[Seen], *, destination: str, priority: int) -> set[int]:
    """Due now, to be read before it is written; returns the subjects of which that holds."""
    rows = await tx.fetch(
        SQL["owe"], *_fences(seen), [one.remote_id for one in seen], priority, destination
    )
    return {row["subject_id"] for row in rows}


async def hold(tx: Connection, seen: Sequence[Seen], *, destination: str) -> set[int]:
    """A person changed them there: nothing is written until somebody decides."""
    rows = await tx.fetch(
        SQL["hold"],
        *_fences(seen),
        [one.remote_id for one in seen],
        [one.difference for one in seen],
        [one.summary for one in seen],
        destination,
    )
    return {row["subject_id"] for row in rows}


async def settle(tx: Connection, seen: Sequence[Seen], *, destination: str) -> set[int]:
    """What was held shows what it should by now."""
    rows = await tx.fetch(
        SQL["settle"],
        *_fences(seen),
        [one.remote_id for one in seen],
        [one.standing.status for one in seen],
        [one.written for one in seen],
        destination,
    )
    return {row["subject_id"] for row in rows}


def _fences(seen: Sequence[Seen]) -> tuple[list[int], list[int], list[int], list[int]]:
    standings = [one.standing for one in seen]
    return (
        [each.subject_id for each in standings],
        [each.fence for each in standings],
        [each.desired for each in standings],
        [each.version for each in standings],
    )


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        subject_id=row["subject_id"],
        destination=row["destination"],
        subject=Subject(row["lifecycle"], row["scope"], row["ref"]),
        status=row["status"],
        version=row["version"],
        state=row["state"],
        changed_at=row["changed_at"],
        sync=row["sync"],
        fence=row["fence"],
        desired=row["desired_version"],
        synced=row["synced_version"],
        leased=row["leased"],
        remote_id=row["remote_id"],
        written=row["written"],
        intents=(row["intent"] or {}).get("shown", ()),
        held_for=row["held_for"],
        overrule=row["overrule"],
    )
