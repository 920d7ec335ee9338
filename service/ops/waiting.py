"""Events that wait come in; those that can go on are owed again, those that waited too long die.

An event that takes another one back and names nothing else follows that one to its subject. The
fold finds it there. Where the other one is not there yet, this one waits under a name that stands
for it (`event:SOURCE` and the hash of its key), and is released from here: events that arrive look
for nobody who waits for them, so that what is common pays nothing for what is rare. No lock is
needed for that, because a look that came too early is repeated.
"""

import structlog

from service.domain.verdict import DeadLetter, Reason
from service.store import aliases, waiting, writing
from service.store.pool import Pool, transaction
from service.store.writing import Writes
from service.worker import waits

log = structlog.get_logger()

BATCH = 200
MOST_BATCHES = 50
"""Of one look; what is left is looked at the next time."""


async def release_followers(pool: Pool) -> int:
    """Let those go on whose event has come to a subject, dead letters among them."""
    async with transaction(pool) as tx:
        names = await waiting.arrived(tx, limit=BATCH)
        if names:
            await aliases.lock_names(tx, names)
            await writing.write(tx, Writes(released=names))
    return len(names)


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
