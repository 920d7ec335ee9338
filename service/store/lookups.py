"""Rows for people who look something up: bounded, paged by key, on a short leash."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.events import Alias
from service.store import sql
from service.store.pool import Connection, Pool, session, transaction
from service.store.seals import PLAIN, Seals

SQL = sql.load("lookups")

STATEMENT_TIMEOUT = "5s"
MOST_ATTEMPTS = 200

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class SubjectFilter:
    lifecycle: str | None = None
    status: str | None = None
    ref_prefix: str | None = None
    flag: str | None = None
    """A word of an alarm, or `any`."""
    alias: Alias | None = None
    lifecycles: Sequence[str] = ("order",)
    """Where the alias is looked for, unless one lifecycle is wanted."""


@dataclass(frozen=True, slots=True)
class EventFilter:
    source: str | None = None
    outcome: str | None = None
    subject: str | None = None
    """As people write it: `order/1001`, `order/shop-eu:1001`."""
    among: int | None = None
    """Looks only among so many: whoever is seldom heard is not looked for through all of them."""


@dataclass(frozen=True, slots=True)
class AnomalyFilter:
    kind: str | None = None
    source: str | None = None
    open: bool | None = None
    """Only those that go on, or only those that ended."""


@dataclass(frozen=True, slots=True)
class EventRows:
    event: Row
    request: Row | None
    attempts: Sequence[Row]


async def ping(pool: Pool) -> None:
    """Return if PostgreSQL answers, else raise StoreUnavailable."""
    async with session(pool) as connection:
        await connection.fetchval(SQL["ping"])


async def subjects(
    pool: Pool, wanted: SubjectFilter, *, after: tuple[datetime, int] | None, limit: int
) -> Sequence[Row]:
    """The subjects that changed last, first."""
    at, row_id = after or (None, None)
    async with _snapshot(pool) as tx:
        return await _fetch(
            tx,
            "subjects",
            wanted.lifecycle,
            wanted.status,
            wanted.ref_prefix,
            wanted.flag,
            *(wanted.alias or (None, None)),
            [wanted.lifecycle] if wanted.lifecycle else list(wanted.lifecycles),
            at,
            row_id,
            limit,
        )


async def events(
    pool: Pool, wanted: EventFilter, *, before: UUID | None, limit: int
) -> Sequence[Row]:
    """The events accepted last, first."""
    lifecycle, whole, scope, ref = readings(wanted.subject)
    async with _snapshot(pool) as tx:
        floor = None
        if wanted.among is not None:
            floor = next(
                (row["id"] for row in await _fetch(tx, "floor", before, wanted.among)), None
            )
        return await _fetch(
            tx,
            "events",
            wanted.source,
            wanted.outcome,
            lifecycle,
            whole,
            scope,
            ref,
            before,
            limit,
            floor,
        )


async def event(pool: Pool, event_id: UUID, *, sealing: Seals = PLAIN) -> EventRows | None:
    async with _snapshot(pool) as tx:
        for row in await _fetch(tx, "event", event_id):
            adopted = row["home_ref"] is not None
            name = (row["lifecycle"], *_place(row, "home_" if adopted else ""))
            kept = await _fetch(tx, "request", row["request_id"])
            requests = await sealing.open(tx, kept, kind="requests")
            return EventRows(
                event=row,
                request=requests[0] if requests else None,
                attempts=await _fetch(tx, "attempts", *name, event_id, MOST_ATTEMPTS),
            )
        return None


async def anomalies(
    pool: Pool, wanted: AnomalyFilter, *, before: UUID | None, limit: int
) -> Sequence[Row]:
    """What was noticed last, first."""
    async with _snapshot(pool) as tx:
        return await _fetch(tx, "anomalies", wanted.kind, wanted.source, wanted.open, before, limit)


def _place(row: Row, prefix: str) -> tuple[str, str]:
    return row[f"{prefix}scope"], row[f"{prefix}ref"]


@asynccontextmanager
async def _snapshot(pool: Pool) -> AsyncIterator[Connection]:
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        yield tx


async def _fetch(tx: Connection, name: str, *values: object) -> list[Row]:
    return [dict(row) for row in await tx.fetch(SQL[name], *values)]


def readings(subject: str | None) -> tuple[str | None, str, str, str]:
    """Lifecycle, the ref if there is no scope, and scope and ref if there is one."""
    if subject is None:
        return None, "", "", ""
    lifecycle, _, rest = subject.partition("/")
    scope, colon, ref = rest.partition(":")
    return lifecycle, rest, scope if colon else "", ref if colon else rest
