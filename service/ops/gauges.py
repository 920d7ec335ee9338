"""Refreshes gauges: a look at the tables for what is owed, at the tasks for their pulse."""

from collections.abc import Iterable, Sequence

from service import telemetry
from service.store import gauges, partitions
from service.store.pool import Pool, transaction
from service.supervisor import Phase, Supervisor

PRIORITY_NAMES = {1: "high", 5: "live", 9: "backlog"}
OWED_STATES = ("pending", "no_record")


async def look_at_tables(pool: Pool, destinations: Sequence[str]) -> None:
    """Count what is owed and dead; raises StoreUnavailable and changes nothing then."""
    async with transaction(pool, readonly=True) as tx:
        backlogs = await gauges.outbox(tx)
        owed = await gauges.syncs(tx, destinations)
        dead = await gauges.dead_letters(tx, destinations)
        days = await partitions.ahead(tx)
    telemetry.PARTITION_DAYS.set(days)
    for backlog in backlogs:
        name = PRIORITY_NAMES[backlog.priority]
        telemetry.OUTBOX_ENTRIES.labels(name).set(backlog.entries)
        telemetry.OUTBOX_OLDEST.labels(name).set(backlog.oldest_seconds)
    # Cleared: a destination may be gone, and a count that is 0 has no row.
    telemetry.SYNCS_OWED.clear()
    for name in destinations:
        for state in OWED_STATES:
            telemetry.SYNCS_OWED.labels(name, state).set(0)
    for row in owed:
        telemetry.SYNCS_OWED.labels(row.destination, row.state).set(row.syncs)
    telemetry.DEAD_LETTERS.clear()
    for letters in dead:
        telemetry.DEAD_LETTERS.labels(letters.kind, letters.destination, letters.reason).set(
            letters.letters
        )
    telemetry.GAUGES_REFRESHED.set_to_current_time()


def look_at_tasks(supervisors: Iterable[Supervisor]) -> None:
    """Say of every supervised task whether it runs, and for how long it has not got on."""
    for group in supervisors:
        for name, state in group.states().items():
            telemetry.TASK_UP.labels(name).set(state.phase is Phase.RUNNING)
        for name, seconds in group.silences().items():
            telemetry.TASK_SILENCE.labels(name).set(seconds)
