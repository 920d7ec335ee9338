"""What operators did: one appended row for each request, never changed again."""

from collections.abc import Mapping

from service.store import ids, sql
from service.store.pool import Connection

SQL = sql.load("actions")


async def record(
    tx: Connection, actor: str, action: str, *, target: str, detail: Mapping[str, object]
) -> None:
    """Say who did what to what; in the transaction that does it."""
    await tx.execute(SQL["record"], ids.new_id(), actor, action, target, dict(detail))
