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
