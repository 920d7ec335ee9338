"""Spools of the gateways as they last reported them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.store import sql
from service.store.pool import Connection, Pool, session

SQL = sql.load("spools")

SILENT = timedelta(seconds=60)
"""A gateway that has not reported for so long may hold what nobody knows of."""
GONE = timedelta(minutes=10)
"""One that has not reported for so long may be forgotten by a person."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What lies in a spool now."""

    id: UUID
    gateway: str
    entries: int
    size: int
    damaged: int
    oldest_at: datetime | None


async def report(pool: Pool, said: Report) -> None:
    async with session(pool) as connection:
        await connection.execute(
            SQL["report"],
            said.id,
            said.gateway,
            said.entries,
            said.size,
            said.damaged,
            said.oldest_at,
        )


async def leave(pool: Pool, spool_id: UUID) -> None:
    """The gateway ends and leaves nothing behind."""
    async with session(pool) as connection:
        await connection.execute(SQL["leave"], spool_id)


async def listed(tx: Connection) -> Sequence[Row]:
    """Every spool that may hold something, or whose gateway fell silent."""
    return [dict(row) for row in await tx.fetch(SQL["list"], SILENT)]


async def locked(tx: Connection, spool_id: UUID) -> Row | None:
    """One spool, held against a report that comes meanwhile."""
    row = await tx.fetchrow(SQL["locked"], spool_id, SILENT, GONE)
    return dict(row) if row is not None else None


async def forget(tx: Connection, spool_id: UUID) -> None:
    await tx.execute(SQL["leave"], spool_id)
