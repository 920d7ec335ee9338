"""Messages come back from the workers more often than the broker delivers them."""

import asyncio
from contextlib import suppress
from typing import ClassVar

import aio_pika
from aio_pika.exceptions import AMQPError

from service.broker.topology import Topology
from service.faultpoint import VARIABLE
from tests.torture.faults.base import Fault, Target, up
from tests.torture.faults.broker import declared
from tests.torture.faults.points import again
from tests.torture.plant import Plant


class ComeBack(Fault):
    """Workers let go of everything they take, so that the broker gives up on it."""

    code, name = "F3", "messages come back too often"
    target: ClassVar[Target] = "worker"
    seconds = (12.0, 16.0)
    weight = 0.5

    async def inject(self, plant: Plant) -> str:
        self.victims = plant.of("worker")
        await up(self.victims)
        await again(self.victims, {VARIABLE: "fold.taken=cancel"})
        return ""

    async def heal(self, plant: Plant) -> None:
        await again(self.victims, {})


class ComeBackInVain(ComeBack):
    """The same while nothing leads to the queue for them, however often that is mended."""

    name = "messages come back too often and have nowhere to go"

    async def inject(self, plant: Plant) -> str:
        self._over = asyncio.Event()
        self._task = asyncio.create_task(_unbound(plant, self._over))
        return await super().inject(plant)

    async def heal(self, plant: Plant) -> None:
        self._over.set()  # a cancellation may get lost in a call that ends at the same moment
        await asyncio.gather(self._task, return_exceptions=True)
        await super().heal(plant)
        await declared(plant)


async def _unbound(plant: Plant, over: asyncio.Event) -> None:
    topology = Topology(plant.prefix)
    while not over.is_set():
        with suppress(AMQPError, OSError, TimeoutError):
            async with await aio_pika.connect(plant.broker.url, timeout=10) as connection:
                queue = await (await connection.channel()).get_queue(topology.dead, ensure=False)
                while not over.is_set():
                    await queue.unbind(topology.dead_exchange, topology.dead, timeout=10)
                    await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
