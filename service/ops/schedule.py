"""What must happen from time to time, as supervised tasks."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import structlog

from service import supervisor, telemetry
from service.domain.errors import StoreUnavailable
from service.intake.receive import Tallies
from service.ops import approvals, gauges, retention, silence, waiting
from service.ops.gauges import Labels
from service.settings import Settings
from service.store import acceptance, captures, partitions
from service.store.pool import Pool
from service.store.seals import Seals
from service.supervisor import Supervisor, pause
from service.worker.rules import Rules

log = structlog.get_logger()

PARTITIONS_EVERY = 3600.0
CAPTURES_EVERY = 3600.0
TALLIES_EVERY = 0.5
GAUGES_EVERY = 10.0
SILENCE_EVERY = 60.0
RETENTION_EVERY = 3600.0
DEADLINES_EVERY = 5.0
PULSE_EVERY = 0.25

Task = Callable[[asyncio.Event], Awaitable[None]]


def partition_keeper(pool: Pool) -> Task:
    """Keep day partitions made ahead."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            try:
                await partitions.ensure(pool)
            except StoreUnavailable as error:
                log.warning("partitions_not_ensured", reason=str(error))
            await pause(stop, PARTITIONS_EVERY)

    return run


def tally_keeper(pool: Pool, tallies: Tallies, *, process: UUID) -> Task:
    """Write down the counts of refused and unavailable requests."""

    async def run(stop: asyncio.Event) -> None:
        while True:
            supervisor.beat()
            counts = tallies.drain()
            try:
                if counts:
                    await acceptance.tally(pool, counts, process=process)
            except StoreUnavailable:
                tallies.restore(counts)
            if stop.is_set():
                return
            await pause(stop, TALLIES_EVERY)

    return run


def gauge_keeper(pool: Pool, settings: Callable[[], Settings]) -> Task:
    """Count what is owed and dead; one process of an installation does it for all."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            try:
                await gauges.look_at_tables(pool, Labels.of(settings()))
            except StoreUnavailable as error:
                log.warning("gauges_not_refreshed", reason=str(error))
            await pause(stop, GAUGES_EVERY)

    return run


def deadline_keeper(pool: Pool) -> Task:
    """End the waiting of events that can go on, and of what waited for too long."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            try:
                await waiting.release_followers(pool)
                await waiting.end_overdue(pool)
                await approvals.end_overdue(pool)
            except StoreUnavailable as error:
                log.warning("deadlines_not_looked_at", reason=str(error))
            await pause(stop, DEADLINES_EVERY)

    return run


def capture_keeper(pool: Pool) -> Task:
    """Drop captured requests that nobody needed for long."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            try:
                await captures.forget(pool)
            except StoreUnavailable as error:
                log.warning("captures_not_dropped", reason=str(error))
            await pause(stop, CAPTURES_EVERY)

    return run


def retention_keeper(
    pool: Pool, settings: Callable[[], Settings], rules: Callable[[], Rules], *, sealing: Seals
) -> Task:
    """Let what is past its time leave; processes take turns."""

    async def run(stop: asyncio.Event) -> None:
        pace = retention.pacer(stop)
        while not stop.is_set():
            supervisor.beat()
            try:
                runner = retention.Runner(
                    pool, settings().retention, rules(), sealing=sealing, pace=pace
                )
                await runner.run()
            except StoreUnavailable as error:
                log.warning("retention_put_off", reason=str(error))
            await pause(stop, RETENTION_EVERY)

    return run


def silence_keeper(pool: Pool, settings: Callable[[], Settings]) -> Task:
    """Notice which source stopped speaking; processes take turns."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            sources = settings().sources
            try:
                await silence.look(pool, silence.rules(sources))
                await silence.show(pool, list(sources))
            except StoreUnavailable as error:
                log.warning("silence_not_looked_at", reason=str(error))
            await pause(stop, SILENCE_EVERY)

    return run


def pulse_keeper(supervisors: Sequence[Supervisor]) -> Task:
    """Watch over the event loop and over the tasks of this process."""

    async def run(stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            gauges.look_at_tasks(supervisors)
            due = clock() + PULSE_EVERY
            await pause(stop, PULSE_EVERY)
            if not stop.is_set():
                telemetry.LOOP_LAG_SECONDS.observe(max(0.0, clock() - due))

    return run
