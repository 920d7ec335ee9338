"""What happens at this moment, counted for people: every count is one walk along an index.

The ledger counts all rows and may take its time. These are read again and again while somebody
looks, so each has a cap, or is about the last hour only.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from service.store import ids, sql
from service.store.ids import made_at
from service.store.pool import Connection

SQL = sql.load("now")

STATEMENT_TIMEOUT = "4s"
CAP = 10_000
ASKING = ("find", "read", "read back", "note", "shadow", "wording", "sign in")
"""Exchanges that take nothing to a destination."""
LATELY = timedelta(minutes=10)
WAITS = 300
"""The last writes that are looked at for how long they took."""
SLACK = 60.0
"""Seconds that the clocks of processes may differ."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Since:
    """From a moment on, in strides of so many seconds."""

    moment: float
    stride: int


async def bound(tx: Connection) -> float:
    """Bound every statement to come; the moment by the clock of the database."""
    await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
    at: float = await tx.fetchval(SQL["at"])
    return at


async def came(tx: Connection, since: Since) -> Sequence[Row]:
    """Accepted events by source and stride."""
    rows = await tx.fetch(SQL["came"], _id(since.moment), since.moment, since.stride)
    return [dict(row) for row in rows]


async def went(tx: Connection, since: Since) -> Sequence[Row]:
    """What destinations took and refused, by destination and stride."""
    rows = await tx.fetch(SQL["went"], _id(since.moment), since.moment, since.stride, ASKING)
    return [dict(row) for row in rows]


async def waits(tx: Connection, since: float) -> list[float]:
    """Seconds from acceptance to destination of the last writes, the shortest first."""
    rows = await tx.fetch(SQL["waits"], _id(since), WAITS, ASKING)
    return sorted(max(0.0, row["at"] - made_at(row["id"])) for row in rows)


async def owed(tx: Connection, destinations: Sequence[str]) -> dict[str, Row]:
    """By destination, where anything is owed."""
    rows = await tx.fetch(SQL["owed"], destinations, CAP)
    return {row["destination"]: dict(row) for row in rows}


async def held(tx: Connection, destinations: Sequence[str]) -> dict[str, int]:
    """By destination: what a person there changed, and an operator here must decide."""
    rows = await tx.fetch(SQL["held"], destinations, CAP)
    return {row["destination"]: row["held"] for row in rows}


async def refused(tx: Connection, sources: Sequence[str], *, most: int) -> Sequence[Row]:
    """By source and cause: the requests that were refused lately."""
    return [dict(row) for row in await tx.fetch(SQL["refused"], sources, LATELY, most)]


def _id(moment: float) -> UUID:
    return ids.first_id(datetime.fromtimestamp(moment - SLACK, UTC))
