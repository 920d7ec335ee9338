"""What operators decide about single syncs: ours, theirs, or try again; and what is held."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.drift import Difference, Shown
from service.store import sql
from service.store.lookups import STATEMENT_TIMEOUT
from service.store.pool import Connection, Pool, transaction
from service.store.syncs import Held

SQL = sql.load("decisions")

Row = Mapping[str, Any]
Place = tuple[datetime, int, str]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a sync stands, locked."""

    state: str
    held_for: Held | None
    difference: Mapping[str, Difference] | None
    leased: bool


async def lock(tx: Connection, subject_id: int, destination: str) -> Standing | None:
    """None: nothing was ever owed to this destination about it."""
    row = await tx.fetchrow(SQL["lock"], subject_id, destination)
    return Standing(**row) if row else None


async def overwrite(tx: Connection, subject_id: int, destination: str) -> None:
    """Write ours, whatever stands there; a dead letter of it is closed."""
    await tx.execute(SQL["redriven"], subject_id, destination)
    await tx.execute(SQL["overwrite"], subject_id, destination)


async def accept(
    tx: Connection, subject_id: int, destination: str, *, theirs: Shown, why: str
) -> None:
    """Keep theirs until the next version."""
    await tx.execute(SQL["accept"], subject_id, destination, dict(theirs), why)


async def retry(tx: Connection, subject_id: int, destination: str) -> None:
    """Due now, and read before it is written; a dead letter of it is closed."""
    await tx.execute(SQL["redriven"], subject_id, destination)
    await tx.execute(SQL["retry"], subject_id, destination)


async def held(
    pool: Pool,
    *,
    destination: str | None,
    held_for: str | None,
    before: Place | None,
    limit: int,
) -> Sequence[Row]:
    """What is held, the last one first."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        place = before or (None, None, None)
        rows = await tx.fetch(SQL["held"], destination, held_for, *place, limit)
        return [dict(row) for row in rows]
