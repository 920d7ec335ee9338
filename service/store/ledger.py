"""Every row the ledger's two equations speak of, counted in one snapshot."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from service.store import spools, sql
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("ledger")

STATEMENT_TIMEOUT = timedelta(seconds=30)
LISTED = 100
"""How many rows that are out of place are named; one is enough to be unbalanced."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Counts:
    """The counts by source and destination, and every row found out of place."""

    at: datetime
    sources: Sequence[Row]
    destinations: Sequence[Row]
    requests: Sequence[Row]
    misplaced_events: Sequence[Row]
    strays: Sequence[Row]
    contradictions: Sequence[Row]
    spools: Sequence[Row] = ()


async def count(pool: Pool) -> Counts:
    """Count everything as of one moment; raises StoreUnavailable when that takes too long."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], f"{int(STATEMENT_TIMEOUT.total_seconds())}s")
        at = await tx.fetchval(SQL["now"])
        sources = await _fetch(tx, "events")
        strayed = any(row["misplaced"] for row in sources)
        return Counts(
            at=at,
            sources=sources,
            destinations=await _fetch(tx, "destinations"),
            requests=await _fetch(tx, "requests"),
            misplaced_events=await _fetch(tx, "misplaced_events", LISTED) if strayed else [],
            strays=await _fetch(tx, "strays", LISTED),
            contradictions=await _fetch(tx, "contradictions", LISTED),
            spools=await spools.listed(tx),
        )


async def _fetch(tx: Connection, name: str, *values: object) -> Sequence[Row]:
    seconds = STATEMENT_TIMEOUT.total_seconds() + 1
    return [dict(row) for row in await tx.fetch(SQL[name], *values, timeout=seconds)]
