"""The last refused requests of each source: what was wrong, never what was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from service.domain.refusals import Cause
from service.store import sql
from service.store.pool import Pool, session, transaction

SQL = sql.load("refusals")

KEPT = 50
"""Refusals of one source that are remembered."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A request that was not taken."""

    id: UUID
    source: str
    at: datetime
    reason: str
    peer: str
    method: str
    header_names: Sequence[str]
    body_sha256: bytes
    body_bytes: int
    skew: timedelta | None
    """Sender's clock minus ours, where the request carried a time."""
    cause: Cause = Cause.MALFORMED


async def add(pool: Pool, refused: Sequence[Refusal]) -> None:
    """Keep the refusals, and of each of their sources the last only."""
    async with transaction(pool) as tx:
        await tx.execute(
            SQL["add"],
            [one.id for one in refused],
            [one.source for one in refused],
            [one.at for one in refused],
            [one.reason for one in refused],
            [one.peer for one in refused],
            [one.method for one in refused],
            [_array(one.header_names) for one in refused],
            [one.body_sha256 for one in refused],
            [one.body_bytes for one in refused],
            [one.skew for one in refused],
            [one.cause.value for one in refused],
        )
        await tx.execute(SQL["trim"], sorted({one.source for one in refused}), KEPT)


async def of_source(pool: Pool, source: str) -> list[Row]:
    """What is remembered of a source, the newest first."""
    async with session(pool) as connection:
        return [dict(row) for row in await connection.fetch(SQL["of_source"], source, KEPT)]


def _array(names: Sequence[str]) -> str:
    """A text[] literal: an array of arrays of different lengths cannot travel as one."""
    quoted = (name.replace("\\", "\\\\").replace('"', '\\"') for name in names)
    return "{" + ",".join(f'"{name}"' for name in quoted) + "}"
