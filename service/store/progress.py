"""How far the workers have come in each queue, as the publish time of what they take."""

from collections.abc import Sequence
from datetime import datetime

from service.store import sql
from service.store.pool import Connection

SQL = sql.load("progress")


async def report(tx: Connection, queue: str, *, published_at: datetime | None) -> None:
    """Say what is being taken now, None for an empty queue; it never goes back nor ahead of now."""
    await tx.execute(SQL["report"], queue, published_at)


async def read(tx: Connection, queues: Sequence[str]) -> datetime | None:
    """How far the workers of the slowest queue have come; None while one was never reported."""
    moment: datetime | None = await tx.fetchval(SQL["read"], queues)
    return moment
