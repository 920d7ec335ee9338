"""Events just committed go straight to the broker while that is free; else the relay takes them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import structlog

from service import supervisor
from service.broker.base import Broker
from service.broker.publisher import Message, Publisher, chunks
from service.broker.topology import Topology
from service.broker.window import WINDOW, Window
from service.domain.errors import StoreUnavailable
from service.store.pool import Pool, transaction
from service.supervisor import pause

log = structlog.get_logger()

IN_FLIGHT = 4
"""More would take the accepting loop's time from the senders; the relay has its own."""
LOOK = 0.25


class FastPath:
    """Closed until `run` has seen room in the window, and whenever it cannot see any."""

    def __init__(
        self, broker: Broker, topology: Topology, pool: Pool, *, window: int = WINDOW
    ) -> None:
        self._broker = broker
        self._pool = pool
        self._publisher = Publisher(broker, topology.work, pool=pool, road="fast_path", at_once=1)
        self._window = Window([topology.work], size=window)
        self._room = 0
        self._reserved = 0
        self._sending: set[asyncio.Task[None]] = set()

    def reserve(self) -> bool:
        """Whether a batch may be published at once; a True is followed by `send` or `release`."""
        if self._reserved >= IN_FLIGHT or self._room <= 0 or not self._broker.open:
            return False
        self._reserved += 1
        return True

    def send(self, event_ids: Sequence[UUID], published_at: datetime) -> None:
        """Publish in the background; a failure leaves the entries owed."""
        self._room -= len(event_ids)
        task = asyncio.create_task(self._publish(list(chunks(event_ids)), published_at))
        self._sending.add(task)
        task.add_done_callback(self._sent)

    def release(self) -> None:
        """Give a reservation back: nothing was committed."""
        self._reserved -= 1

    async def run(self, stop: asyncio.Event) -> None:
        """Keep an eye on the window; when stopped, close and let publishes under way end."""
        try:
            while not stop.is_set():
                supervisor.beat()
                self._room = await self._look()
                await pause(stop, LOOK)
        finally:
            self._room = 0
        if self._sending:
            await asyncio.wait(self._sending)

    async def _look(self) -> int:
        try:
            async with transaction(self._pool) as tx:
                return (await self._window.look(tx)).room
        except StoreUnavailable as error:
            log.warning("fast_path_closed", reason=str(error))
            return 0

    async def _publish(self, messages: Sequence[Message], published_at: datetime) -> None:
        await self._publisher.publish(messages, published_at)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._sending.discard(task)
        self._reserved -= 1
        if task.cancelled():
            log.warning("fast_path_cancelled")
        elif (error := task.exception()) is not None:
            log.error("fast_path_failed", exc_info=error)
