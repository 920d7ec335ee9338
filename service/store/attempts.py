"""Exchanges with outside systems, found by order, event, destination, end and time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.domain.events import Subject
from service.store import ids, sql
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("attempts")

STATEMENT_TIMEOUT = "5s"
SLACK = timedelta(days=1)
FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AttemptFilter:
    subject: str | None = None
    """As people write it: `order/1001`, `order/shop-eu:1001`."""
    event_id: UUID | None = None
    destination: str | None = None
    classes: Sequence[str] | None = None
    since: datetime | None = None
    until: datetime | None = None
    among: int | None = None
    """Looks only among so many of the last: what is rare is not looked for through all of them."""


async def page(pool: Pool, wanted: AttemptFilter, *, before: UUID | None, limit: int) -> list[Row]:
    """The last exchanges first."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        about, version = await _about(tx, wanted)
        if about == []:
            return []
        first = ids.first_id(wanted.since - SLACK) if wanted.since else FIRST
        last = min(before or LAST, ids.first_id(wanted.until + SLACK) if wanted.until else LAST)
        if wanted.among is not None:
            first = max(first, await tx.fetchval(SQL["floor"], last, wanted.among) or FIRST)
        rows = await tx.fetch(
            SQL["page"],
            about,
            version,
            wanted.destination,
            wanted.classes,
            wanted.since,
            wanted.until,
            first,
            last,
            limit,
        )
        return [dict(row) for row in rows]


async def _about(tx: Connection, wanted: AttemptFilter) -> tuple[list[int] | None, int | None]:
    """The subjects whose exchanges are meant, if only some, and from which version on."""
    found: list[int] | None = None
    version: int | None = None
    if wanted.subject is not None:
        rows = await tx.fetch(SQL["subject_ids"], *_readings(wanted.subject))
        found = [row["id"] for row in rows]
    if wanted.event_id is not None:
        led = await tx.fetch(SQL["led"], wanted.event_id)
        mine = [row["id"] for row in led]
        found = mine if found is None else [each for each in found if each in mine]
        version = led[0]["version"] if led else None
    return found, version


def _readings(subject: str) -> tuple[str, str, str, str]:
    """Lifecycle, the ref if there is no scope, and scope and ref if there is one."""
    lifecycle, _, rest = subject.partition("/")
    scope, colon, ref = rest.partition(":")
    return lifecycle, rest, scope if colon else "", ref if colon else rest


def name(row: Row) -> str | None:
    """The subject of an exchange as people write it; None when its row is gone."""
    if row["ref"] is None:
        return None
    return str(Subject(row["lifecycle"], row["scope"], row["ref"]))
