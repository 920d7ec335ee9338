"""What looks wrong though nothing failed: noted once, and not for ever."""

from collections.abc import Sequence
from uuid import UUID

import structlog

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.store import ids, sql
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("anomalies")
log = structlog.get_logger()

MOST_OPEN = 1000
"""Key conflicts of one source that are kept: who repeats every key need not be told of each."""
OTHER_MEANING = (
    "The key came again with another meaning. The first one stands, and nothing of the second is "
    "kept. Let the sender give every event a key of its own, or choose another key for the source."
)


async def note_key_conflicts(pool: Pool, found: Sequence[tuple[str, UUID]]) -> None:
    """Keep which events were contradicted under their own key; their acceptance stands anyway."""
    for source, _ in found:
        telemetry.KEY_CONFLICTS.labels(source).inc()
    ordered = sorted(found)
    try:
        async with transaction(pool) as tx:
            await tx.execute(SQL["one_writer"])
            await tx.execute(
                SQL["key_conflicts"],
                [ids.new_id() for _ in ordered],
                [source for source, _ in ordered],
                [event_id for _, event_id in ordered],
                OTHER_MEANING,
                MOST_OPEN,
            )
    except StoreUnavailable as error:
        log.warning("key_conflicts_not_noted", events=len(found), reason=str(error))


async def end_alias_conflicts(tx: Connection, lifecycle: str, name: str) -> None:
    """The name leads to one subject again."""
    await tx.execute(SQL["end_alias_conflicts"], lifecycle, name)
