"""The last requests of each source in capture mode, whole: what was sent, by whomever."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from service.store import seals, sql
from service.store.pool import Pool, session, transaction
from service.store.seals import PLAIN, Seals

SQL = sql.load("captures")

KEPT = 50
"""Captures of one source that are kept."""
MOST_BYTES = 64 * 1024 * 1024
"""What the captures of all sources may hold together."""
KEPT_FOR = timedelta(days=7)

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Capture:
    """One request as it came; every text is one that PostgreSQL takes."""

    source: str
    received_at: datetime
    peer: str
    method: str
    path: str = field(repr=False)
    query: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def weight(self) -> int:
        """About how many bytes it takes."""
        texts = [self.path, self.query, *(part for pair in self.headers for part in pair)]
        return len(self.body) + sum(map(len, texts))


async def add(
    pool: Pool, capture: Capture, *, most: int = MOST_BYTES, sealing: Seals = PLAIN
) -> None:
    """Keep it, and drop what is too much beside it, the oldest first."""
    name = await sealing.ready(pool, seals.today())
    async with transaction(pool) as tx:
        number = await tx.fetchval(SQL["next"])
        kept = sealing.seal(capture, name, context=f"captures/{number}")
        await tx.execute(
            SQL["add"],
            number,
            capture.source,
            capture.received_at,
            capture.peer,
            capture.method,
            kept.content.path,
            kept.content.query,
            kept.content.headers,
            kept.content.body,
            capture.weight,
            kept.sealed_with,
        )
        await tx.execute(SQL["trim"], capture.source, KEPT, most)


async def forget(pool: Pool) -> None:
    """Drop what nobody needed for long: it may hold secrets of senders."""
    async with session(pool) as connection:
        await connection.execute(SQL["forget"], KEPT_FOR)


async def of_source(pool: Pool, source: str, *, start: int, sealing: Seals = PLAIN) -> list[Row]:
    """List the captures of a source, the newest first, with the start of each body."""
    async with session(pool) as connection:
        rows = await connection.fetch(SQL["of_source"], source, KEPT, start)
        opened = await sealing.open(connection, rows, kind="captures")
    whole = {row["id"] for row in rows if row["sealed_with"] is not None}
    return [_measured(row, start=start) if row["id"] in whole else row for row in opened]


async def one(pool: Pool, source: str, number: int, *, sealing: Seals = PLAIN) -> Row | None:
    """Find one capture, whole."""
    async with session(pool) as connection:
        rows = await connection.fetch(SQL["one"], source, number)
        for row in await sealing.open(connection, rows, kind="captures"):
            return _measured(row)
    return None


def _measured(row: Row, *, start: int | None = None) -> Row:
    """What was sealed is longer than what came."""
    return {**row, "body_bytes": len(row["body"]), "body": row["body"][:start]}


async def whole(pool: Pool, source: str, *, sealing: Seals = PLAIN) -> list[Capture]:
    """Take the captures of a source as they came, the oldest first."""
    async with session(pool) as connection:
        found = await connection.fetch(SQL["whole"], source, KEPT)
        rows = await sealing.open(connection, found, kind="captures")
    return [
        Capture(
            source=source,
            received_at=row["received_at"],
            peer=row["peer"],
            method=row["method"],
            path=row["path"],
            query=row["query"],
            headers=[(name, value) for name, value in row["headers"]],
            body=row["body"],
        )
        for row in rows
    ]
