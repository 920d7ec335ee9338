"""Access tokens of destinations: sealed rows in and out, locked while one is exchanged."""

from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from service.domain.errors import Conflict
from service.store import sql
from service.store.pool import Connection

SQL = sql.load("tokens")

SPARE = timedelta(seconds=5)
"""How much longer than the exchange itself a transaction may lie idle before the server ends it."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is kept for a destination."""

    sealed: bytes = field(repr=False)
    origin: bytes
    """A digest of the configured credentials it goes back to."""
    generation: int
    """Rises with each renewal; 0 before the first."""
    remaining: timedelta | None
    """Until it runs out, by the database clock; None when nobody said."""


async def find(tx: Connection, destination: str) -> Row | None:
    return _row(await tx.fetchrow(SQL["find"], destination))


async def lock(tx: Connection, destination: str, *, exchange: timedelta) -> Row:
    """The row, locked until the transaction ends; it is made where there is none.

    Waits for one `exchange` of another process, and lets ours lie idle for one. Raises Conflict
    when the other holds it longer.
    """
    longest = exchange + SPARE
    await tx.fetchrow(SQL["patience"], _milliseconds(exchange + SPARE / 2), _milliseconds(longest))
    try:
        await tx.execute(SQL["place"], destination, timeout=longest.total_seconds())
        found = await tx.fetchrow(SQL["lock"], destination, timeout=longest.total_seconds())
    except asyncpg.LockNotAvailableError:
        raise Conflict("Another process is still asking for the access token.") from None
    row = _row(found)
    assert row is not None
    return row


async def keep(
    tx: Connection, destination: str, *, sealed: bytes, origin: bytes, lifetime: timedelta | None
) -> int:
    """Replace what a locked row holds; gives its generation."""
    generation: int = await tx.fetchval(SQL["keep"], destination, sealed, origin, lifetime)
    return generation


def _row(found: asyncpg.Record | None) -> Row | None:
    if found is None:
        return None
    seconds = found["remaining"]
    remaining = None if seconds is None else timedelta(seconds=seconds)
    return Row(found["sealed"], found["origin"], found["generation"], remaining)


def _milliseconds(span: timedelta) -> str:
    return f"{span // timedelta(milliseconds=1)}ms"
