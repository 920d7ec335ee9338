"""A text that may be any number or name of a subject in, the rows it leads to out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from service.domain.events import Subject
from service.store import sql
from service.store.pool import Pool, transaction

SQL = sql.load("search")

STATEMENT_TIMEOUT = "2s"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One text as everything that it may be."""

    values: Sequence[str]
    """The same number as people write it: as it is, and in other letters."""
    type: str | None = None
    """Of an alias, where that was said."""
    names: Sequence[Subject] = ()
    """Readings as a whole name; of any lifecycle where that is empty."""
    event_id: UUID | None = None
    between: tuple[str, str] | None = None
    """Where the texts stand that begin so; looked at where nothing is exactly so."""


@dataclass(frozen=True, slots=True)
class Found:
    exact: bool
    hits: Sequence[Row]
    waiting: Sequence[Row] = field(default=())
    event_id: UUID | None = None
    """The event, should there be one of this id."""


async def find(pool: Pool, wanted: Wanted, *, limit: int) -> Found:
    """All in one snapshot; several rows may lead to the same subject."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        hits = await tx.fetch(
            SQL["exact"],
            wanted.values,
            [name.lifecycle for name in wanted.names],
            [name.scope for name in wanted.names],
            [name.ref for name in wanted.names],
            wanted.type,
            wanted.event_id,
            limit,
        )
        waiting = await tx.fetch(SQL["waiting"], wanted.values, wanted.type, limit)
        event_id = await tx.fetchval(SQL["event"], wanted.event_id) if wanted.event_id else None
        exact = bool(hits or event_id)
        if not exact and wanted.between is not None:
            hits = await tx.fetch(SQL["beginning"], *wanted.between, wanted.type, limit)
        return Found(exact, [dict(row) for row in hits], [dict(row) for row in waiting], event_id)
