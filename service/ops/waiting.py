"""Events that waited too long come in; dead letters that say how to mend it go out."""

import structlog

from service.domain.verdict import DeadLetter, Reason
from service.store import waiting
from service.store.pool import Pool, transaction
from service.worker import waits

log = structlog.get_logger()

BATCH = 200
MOST_BATCHES = 50
"""Of one look; what is left is looked at the next time."""


async def end_overdue(pool: Pool) -> int:
    """Bury every event whose deadline is over; a link brings it back even then."""
    buried = 0
    for _ in range(MOST_BATCHES):
        async with transaction(pool) as tx:
            late = await waiting.overdue(tx, limit=BATCH)
            letters = {
                each.event_id: DeadLetter(
                    Reason.UNRESOLVED_SUBJECT, waits.vain(each.names, since=each.received_at)
                )
                for each in late
            }
            ended = await waiting.expire(tx, letters)
        buried += ended
        if not ended:
            break
    if buried:
        log.warning("events_waited_in_vain", events=buried)
    return buried
