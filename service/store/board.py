"""How many subjects stand where, and the ones that came there last: bounded, from one index."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from service.store import sql
from service.store.pool import Pool, transaction

SQL = sql.load("board")

STATEMENT_TIMEOUT = "2s"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rows:
    lifecycles: Sequence[str]
    """That any subject has."""
    counts: Mapping[str, int]
    newest: Sequence[Row]
    flags: Mapping[str, int]


async def read(pool: Pool, lifecycle: str, *, most: int, newest: int) -> Rows:
    """Counts of up to `most`, and so many of the newest of each status."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        known = await tx.fetch(SQL["lifecycles"])
        counts = {
            row["status"]: row["count"] for row in await tx.fetch(SQL["counts"], lifecycle, most)
        }
        rows = await tx.fetch(SQL["newest"], lifecycle, list(counts), newest) if newest else ()
        flags = await tx.fetch(SQL["flags"], lifecycle, most)
        return Rows(
            [row["lifecycle"] for row in known],
            counts,
            [dict(row) for row in rows],
            {row["flag"]: row["count"] for row in flags},
        )
