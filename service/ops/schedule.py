"""What must happen from time to time, as supervised tasks."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from uuid import UUID

import structlog

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.intake.receive import Tallies
from service.store import acceptance, partitions
from service.store.pool import Pool

log = structlog.get_logger()

PARTITIONS_EVERY = 3600.0
TALLIES_EVERY = 2.0

Task = Callable[[asyncio.Event], Awaitable[None]]


def partition_keeper(pool: Pool) -> Task:
    """Keep day partitions made ahead."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                telemetry.PARTITION_DAYS.set(await partitions.ensure(pool))
            except StoreUnavailable as error:
                log.warning("partitions_not_ensured", reason=str(error))
            await _pause(stop, PARTITIONS_EVERY)

    return run


def tally_keeper(pool: Pool, tallies: Tallies, *, process: UUID) -> Task:
    """Write down the counts of refused and unavailable requests."""

    async def run(stop: asyncio.Event) -> None:
        while True:
            counts = tallies.drain()
            try:
                if counts:
                    await acceptance.tally(pool, counts, process=process)
            except StoreUnavailable:
                tallies.restore(counts)
            if stop.is_set():
                return
            await _pause(stop, TALLIES_EVERY)

    return run


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
