"""Messages come from the broker in batches, the fold sees their ids, only then come the acks."""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from service import supervisor, telemetry, tracing
from service.broker import wire
from service.broker.base import Broker, Delivery, Subscription
from service.broker.topology import Topology
from service.broker.wire import Malformed, Work
from service.domain.errors import BrokerUnavailable, StoreUnavailable
from service.faultpoint import faultpoint
from service.store import progress
from service.store.pool import Pool, transaction
from service.supervisor import Backoff, pause

log = structlog.get_logger()

PREFETCH = 16
"""Messages in hand at most. More would starve the other workers of a window of full messages."""
BATCH_IDS = 400
LINGER = 0.003
"""Seconds a batch waits for company."""
REPORT_EVERY = 1.0
STARVED = 5
"""Reports in a row that see messages wait while none is delivered, until we subscribe afresh.

RabbitMQ 3.10 drops deliveries without a word after a queue was deleted and at once made again.
"""
RETRY_FIRST = 0.1
RETRY_MAX = 5.0


@dataclass(frozen=True, slots=True)
class Taken:
    delivery: Delivery
    work: Work | None
    """None: it cannot be read and names no work, so it is acked with its neighbours."""

    @property
    def size(self) -> int:
        return len(self.work.ids) if self.work is not None else 0


class Consumer:
    """What was delivered stays in hand over the loss of its channel, and is folded all the same.

    An ack on a dead channel does nothing: the message comes again and finds its entries gone.
    """

    def __init__(
        self,
        broker: Broker,
        topology: Topology,
        pool: Pool,
        fold: Callable[[Sequence[UUID]], Awaitable[None]],
    ) -> None:
        self._broker = broker
        self._queue = topology.work
        self._pool = pool
        self._fold = fold
        # A new channel may deliver PREFETCH again while those of a dead one still wait here;
        # the deliveries that can still be acked are the newest, so the oldest may fall out.
        self._waiting: deque[Taken] = deque(maxlen=PREFETCH)
        self._arrived = asyncio.Event()
        self._hand: list[Taken] = []
        self._latest: datetime | None = None
        self._report_at = 0.0
        self._starved = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Fold what arrives until stopped; what is in hand then is finished, the rest goes back.

        Raises BrokerUnavailable when the subscription is dead; run it again.
        """
        backoff = Backoff(RETRY_FIRST, RETRY_MAX, jitter=random.random)
        self._waiting.clear()
        self._hand = []
        self._starved = 0
        subscription = await self._subscribe(stop)
        watch = asyncio.create_task(self._wake_at(stop))
        try:
            while not stop.is_set():
                supervisor.beat()
                if not self._hand:
                    self._hand = await self._gather(stop)
                if await self._settle():
                    backoff.reset()
                else:
                    await pause(stop, backoff.next())
                await self._report()
                if self._starved >= STARVED:
                    raise BrokerUnavailable(f"Messages wait in {self._queue}, but none comes.")
        finally:
            watch.cancel()
            if subscription is not None:
                await subscription.close()

    async def _subscribe(self, stop: asyncio.Event) -> Subscription | None:
        backoff = Backoff(RETRY_FIRST, RETRY_MAX, jitter=random.random)
        while not stop.is_set():
            supervisor.beat()
            try:
                return await self._broker.consume(
                    self._queue, prefetch=PREFETCH, on_delivery=self._arrive
                )
            except BrokerUnavailable as error:
                log.warning("consumer_waits_for_broker", reason=str(error))
                await pause(stop, backoff.next())
        return None

    def _arrive(self, delivery: Delivery) -> None:
        self._starved = 0
        self._waiting.append(Taken(delivery, _read(delivery.body)))
        self._arrived.set()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._arrived.set()

    async def _gather(self, stop: asyncio.Event) -> list[Taken]:
        """Return a batch of what waits; empty when nothing came for a while, or when stopped."""
        if not self._waiting:
            await self._rest(stop, REPORT_EVERY)
        batch = self._draw([])
        if batch and not self._waiting:
            await self._rest(stop, LINGER)
            batch = self._draw(batch)
        moments = [taken.work.published_at for taken in batch if taken.work is not None]
        self._latest = min(moments, default=self._latest)
        return batch

    async def _rest(self, stop: asyncio.Event, seconds: float) -> None:
        self._arrived.clear()
        if not stop.is_set():
            await pause(self._arrived, seconds)

    def _draw(self, batch: list[Taken]) -> list[Taken]:
        """Add what waits, up to the limit; a message that came back before stays by itself."""
        room = BATCH_IDS - sum(taken.size for taken in batch)
        while self._waiting and self._waiting[0].size <= room:
            redelivered = self._waiting[0].delivery.redelivered
            if batch and (redelivered or batch[-1].delivery.redelivered):
                break
            batch.append(self._waiting.popleft())
            room -= batch[-1].size
        return batch

    async def _settle(self) -> bool:
        """Fold and ack what is in hand; False when PostgreSQL is away and it must be kept."""
        ids = list(dict.fromkeys(_ids(self._hand)))
        accepted = True
        try:
            if ids:
                telemetry.WORK_BATCH.observe(len(ids))
                with (
                    tracing.carrying(_traces(self._hand)),
                    tracing.batch("consume", "consumer", ids),
                ):
                    faultpoint("fold.taken")
                    await self._fold(ids)
                    faultpoint("fold.committed")
        except StoreUnavailable as error:
            log.warning("consumer_waits_for_store", reason=str(error), ids=len(ids))
            return False
        except Exception as error:
            log.exception("fold_broke", ids=len(ids), error=type(error).__name__)
            accepted = False
        hand, self._hand = self._hand, []
        for taken in hand:
            await self._answer(taken.delivery, accepted=accepted)
        return accepted

    async def _answer(self, delivery: Delivery, *, accepted: bool) -> None:
        try:
            await (delivery.ack() if accepted else delivery.reject())
        except BrokerUnavailable as error:
            log.info("ack_failed", reason=str(error))

    async def _report(self) -> None:
        """Tell once a second how far we are, so that the relay knows what the broker lost."""
        now = asyncio.get_running_loop().time()
        if now < self._report_at:
            return
        self._report_at = now + REPORT_EVERY
        try:
            if self._latest is None and not await self._idle():
                return
            async with transaction(self._pool) as tx:
                await progress.report(tx, self._queue, published_at=self._latest)
            self._latest = None
        except (StoreUnavailable, BrokerUnavailable) as error:
            log.warning("progress_not_reported", reason=str(error))

    async def _idle(self) -> bool:
        """Whether nothing waits, here or in the queue."""
        if self._hand or self._waiting:
            return False
        depth = await self._broker.depth(self._queue)
        if self._waiting:
            return False
        self._starved = self._starved + 1 if depth.messages else 0
        return depth.messages == 0


def _read(body: bytes) -> Work | None:
    try:
        return wire.decode(body)
    except Malformed as error:
        telemetry.MALFORMED.inc()
        log.warning("message_malformed", reason=str(error), bytes=len(body))
        return None


def _ids(batch: Sequence[Taken]) -> list[UUID]:
    return [each for taken in batch if taken.work is not None for each in taken.work.ids]


def _traces(batch: Sequence[Taken]) -> dict[UUID, tracing.Context]:
    return {
        each: context
        for taken in batch
        if taken.work is not None
        for each, context in taken.work.traces.items()
    }
