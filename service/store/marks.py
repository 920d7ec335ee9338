"""Marks that move when something happens: so cheap that they can be read every other second."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from service.store import ids, sql
from service.store.pool import Pool, transaction

SQL = sql.load("marks")

CAP = 5000
NEAR = timedelta(hours=6)
"""The newest rows are found in the newest partitions."""
STATEMENT_TIMEOUT = "2s"


async def read(pool: Pool) -> Mapping[str, str | None]:
    async with transaction(pool, readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        at = await tx.fetchval(SQL["at"])
        near = ids.first_id(datetime.fromtimestamp(at, UTC) - NEAR)
        row = await tx.fetchrow(SQL["read"], near, CAP)
    assert row is not None
    return dict(row)
