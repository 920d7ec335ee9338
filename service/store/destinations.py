"""Whether destinations may be called: pauses and breakers, one row for all workers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from service.store import sql
from service.store.pool import Connection, Pool, session

SQL = sql.load("destinations")

AT_ONCE = 5000

Row = Mapping[str, Any]
Cause = Literal["operator", "auth", "human"]


@dataclass(frozen=True, slots=True)
class View:
    """How a destination stands."""

    paused: bool = False
    breaker: str = "closed"
    probe_in: float | None = None
    """Seconds until the next probe."""


async def look(pool: Pool, name: str) -> View:
    async with session(pool) as connection:
        row = await connection.fetchrow(SQL["look"], name)
    return View(**row) if row else View()


async def open_breaker(pool: Pool, name: str, *, probe_after: timedelta, error: str) -> bool:
    """Stop all calls; tells whether it was this call that did it."""
    return await _changed(pool, "open", name, probe_after, error)


async def claim_probe(pool: Pool, name: str, *, hold: timedelta) -> int | None:
    """Claim the one probe that is due; its fence, or None when another worker has it."""
    async with session(pool) as connection:
        probes: int | None = await connection.fetchval(SQL["probe"], name, hold)
    return probes


async def probe_failed(
    pool: Pool, name: str, fence: int, *, probe_after: timedelta, error: str
) -> None:
    async with session(pool) as connection:
        await connection.execute(SQL["failed"], name, fence, probe_after, error)


async def forgo_probe(pool: Pool, name: str, fence: int) -> None:
    """Give a claimed probe back: another worker may have something to call about."""
    async with session(pool) as connection:
        await connection.execute(SQL["forgo"], name, fence)


async def close_breaker(pool: Pool, name: str) -> bool:
    """Let all calls go again; tells whether it was this call that did it."""
    return await _changed(pool, "close", name)


async def pause(tx: Connection, name: str, *, by: str, cause: Cause, reason: str) -> bool:
    """Stop all calls until somebody resumes; tells whether anything changed."""
    return await tx.fetchval(SQL["pause"], name, by, cause, reason) is not None


async def resume(tx: Connection, name: str) -> bool:
    """Let all calls go again, whatever stopped them; tells whether anything did."""
    return await tx.fetchval(SQL["resume"], name) is not None


async def hasten(pool: Pool, name: str) -> int:
    """Make some of what is owed due now; the number of those, 0 once nothing is left."""
    async with session(pool) as connection:
        done: str = await connection.execute(SQL["hasten"], name, AT_ONCE)
    return int(done.rpartition(" ")[2])


async def states(pool: Pool) -> dict[str, Row]:
    """By destination: how it stands, where anything was ever unusual."""
    async with session(pool) as connection:
        return {row["name"]: dict(row) for row in await connection.fetch(SQL["states"])}


async def _changed(pool: Pool, block: str, name: str, *said: object) -> bool:
    async with session(pool) as connection:
        return await connection.fetchval(SQL[block], name, *said) is not None
