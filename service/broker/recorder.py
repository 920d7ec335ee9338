"""Messages the broker gave up on come in; their entries are owed again, each of them alone.

Why a message came back too often cannot be seen from it: it may have crashed its workers, or have
lain beside one that did. So nothing is buried here. What is still owed travels alone from now, and
the fold counts the crashes of what it folds alone.
"""

import asyncio
import random
from collections import deque
from collections.abc import Sequence
from uuid import UUID

import structlog

from service import supervisor, telemetry
from service.broker import wire
from service.broker.base import Broker, Delivery
from service.broker.topology import Topology
from service.broker.wire import Malformed
from service.domain.errors import BrokerUnavailable, StoreUnavailable
from service.store import outbox
from service.store.pool import Pool, transaction
from service.supervisor import Backoff, pause

log = structlog.get_logger()

PREFETCH = 16
LOOK = 5.0
"""Seconds between looks at the queue."""
STARVED = 3
"""Looks in a row that see messages wait while none comes, until we subscribe afresh."""
RETRY_FIRST = 0.1
RETRY_MAX = 5.0


class Recorder:
    """Any number may run; recording a message twice changes nothing twice."""

    def __init__(
        self, broker: Broker, topology: Topology, pool: Pool, *, look: float = LOOK
    ) -> None:
        self._broker = broker
        self._queue = topology.dead
        self._pool = pool
        self._look = look
        # As in the consumer: what may fall out came over a channel that is dead.
        self._arrived: deque[Delivery] = deque(maxlen=PREFETCH)
        self._hand: Delivery | None = None
        self._stirred = asyncio.Event()
        self._starved = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Record what arrives, until stopped; raises BrokerUnavailable to be run again."""
        backoff = Backoff(RETRY_FIRST, RETRY_MAX, jitter=random.random)
        self._arrived.clear()
        self._hand = None
        self._starved = 0
        subscription = await self._broker.consume(
            self._queue, prefetch=PREFETCH, on_delivery=self._arrive
        )
        try:
            while not stop.is_set():
                supervisor.beat()
                if self._hand is None:
                    self._hand = await self._next(stop)
                elif await self._record(self._hand):
                    self._hand = None
                    backoff.reset()
                else:
                    await pause(stop, backoff.next())
        finally:
            await subscription.close()

    async def watch(self, stop: asyncio.Event) -> None:
        """Say when messages wait: a recorder that works leaves none."""
        while not stop.is_set():
            supervisor.beat()
            try:
                found = (await self._broker.depth(self._queue)).messages
            except BrokerUnavailable as error:
                log.info("dead_queue_not_seen", reason=str(error))
            else:
                telemetry.DEAD_QUEUE.set(found)
                self._starved = self._starved + 1 if found else 0
                if self._starved > 1:
                    log.error("dead_queue_waits", queue=self._queue, messages=found)
            await pause(stop, self._look)

    def _arrive(self, delivery: Delivery) -> None:
        self._starved = 0
        self._arrived.append(delivery)
        self._stirred.set()

    async def _next(self, stop: asyncio.Event) -> Delivery | None:
        if not self._arrived:
            self._stirred.clear()
            await _either(self._stirred, stop, within=self._look)
        if not self._arrived and self._starved >= STARVED:
            raise BrokerUnavailable(f"Messages wait in {self._queue}, but none comes.")
        return self._arrived.popleft() if self._arrived else None

    async def _record(self, delivery: Delivery) -> bool:
        """Owe again what the message names; False when PostgreSQL is away."""
        try:
            if ids := _ids(delivery.body):
                async with transaction(self._pool) as tx:
                    await outbox.suspect(tx, ids)
                log.warning("work_came_back", ids=len(ids), first=str(ids[0]))
                telemetry.SUSPECTED.inc(len(ids))
        except StoreUnavailable as error:
            log.warning("recorder_waits_for_store", reason=str(error))
            return False
        try:
            await delivery.ack()
        except BrokerUnavailable as error:
            log.info("ack_failed", reason=str(error))
        return True


def _ids(body: bytes) -> Sequence[UUID]:
    """What the message points to; one that cannot be read names no work."""
    try:
        return wire.decode(body).ids
    except Malformed as error:
        telemetry.MALFORMED.inc()
        log.warning("message_malformed", reason=str(error), bytes=len(body))
        return ()


async def _either(one: asyncio.Event, other: asyncio.Event, *, within: float) -> None:
    tasks = [asyncio.ensure_future(each.wait()) for each in (one, other)]
    try:
        await asyncio.wait(tasks, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
