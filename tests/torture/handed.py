"""How much is with the broker and the workers at a time: looked at all the while, judged once."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from service.broker.window import WINDOW
from tests.torture.plant import Plant
from tests.torture.proof import Finding

EVERY = 1.0
SLACK = 500
"""Several publishers see the same room, for as long as one of them rests between two looks."""
AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
HANDED = """
SELECT count(*) FROM outbox
WHERE published_at IS NOT NULL
  AND (due_at > now()
       OR published_at >= (SELECT min(taken_published_at) FROM progress) - interval '8 seconds')
"""
"""What was handed over and is not known to be lost."""


class Handed:
    """The most that was ever seen; each relay may hand over a whole window."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self._relays = 1
        self.most = 0

    async def watch(self) -> None:
        while True:
            self._relays = max(self._relays, len(self._plant.of("relay")))
            with suppress(*AWAY):
                self.most = max(self.most, await self._look())
            await asyncio.sleep(EVERY)

    async def _look(self) -> int:
        connection = await self._plant.postgres.connect()
        try:
            return int(await connection.fetchval(HANDED, timeout=5))
        finally:
            with suppress(*AWAY):
                await connection.close(timeout=2)

    def findings(self) -> Iterator[Finding]:
        limit = WINDOW * self._relays + SLACK
        if self.most > limit:
            why = f"{self.most} entries were handed over at a time, where {limit} are the most"
            yield Finding("unbounded", "window", why)


@asynccontextmanager
async def watched(plant: Plant) -> AsyncIterator[Handed]:
    handed = Handed(plant)
    watching = asyncio.create_task(handed.watch())
    try:
        yield handed
    finally:
        watching.cancel()
