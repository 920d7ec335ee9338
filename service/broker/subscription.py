"""One consumer of a RabbitMQ queue: attached again and again to the connection of the moment."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Literal

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue

from service.broker.base import Delivery, Depth
from service.broker.connection import answered, close_channel
from service.domain.errors import BrokerUnavailable

GRACE = 5.0
"""A fresh consumer may not be counted yet."""

log = structlog.get_logger()


class RabbitSubscription:
    def __init__(
        self,
        queue: str,
        *,
        prefetch: int,
        on_delivery: Callable[[Delivery], None],
        on_trouble: Callable[[], None],
        on_end: Callable[["RabbitSubscription"], None],
    ) -> None:
        self.queue = queue
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._on_trouble = on_trouble
        self._on_end = on_end
        self._channel: AbstractChannel | None = None
        self._consumer: tuple[AbstractQueue, str] | None = None
        self._attached_at = 0.0
        self._ended = False
        self._doubted = False
        self._changing = asyncio.Lock()

    def alive(self, seen: Depth) -> bool:
        """Whether the broker still serves this consumer, as far as both sides know."""
        attached = self._consumer is not None and not self._doubted
        young = asyncio.get_running_loop().time() < self._attached_at + GRACE
        return attached and not self._channel_closed() and (seen.consumers > 0 or young)

    def doubt(self) -> None:
        """Its queue was made anew: attach it again, whatever both sides know."""
        self._doubted = True

    async def attach(self, connection: AbstractConnection) -> None:
        """Consume on a fresh channel; what the old one held comes again."""
        async with self._changing:
            if not self._ended:
                await self._detach()
                await self._consume(connection)

    async def cancel(self) -> None:
        self._on_end(self)
        async with self._changing:
            await self._leave()

    async def close(self) -> None:
        self._on_end(self)
        async with self._changing:
            await self._leave()
            await self._detach()

    async def _consume(self, connection: AbstractConnection) -> None:
        self._channel = channel = connection.channel(publisher_confirms=False)
        await answered(channel.initialize(), doing="opening a channel")
        await answered(channel.set_qos(self._prefetch), doing="setting the prefetch")
        await self._listen(channel)
        queue = await channel.get_queue(self.queue, ensure=False)
        receive = partial(self._receive, channel)
        tag = await answered(queue.consume(receive), doing=f"consuming from {self.queue}")
        self._consumer = (queue, tag)
        self._doubted = False
        self._attached_at = asyncio.get_running_loop().time()
        log.info("broker_consumer_attached", queue=self.queue)

    async def _leave(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer is not None and not self._channel_closed():
            queue, tag = consumer
            try:
                await answered(queue.cancel(tag), doing=f"leaving {self.queue}")
            except BrokerUnavailable as exc:
                log.info("broker_consumer_lost", queue=self.queue, reason=str(exc))
        self._ended = True

    async def _listen(self, channel: AbstractChannel) -> None:
        """Hear of a dead channel and of a consumer cancelled by the server (its queue is gone)."""
        channel.close_callbacks.add(partial(self._on_lost, channel))
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(partial(self._on_lost, channel))

    def _on_lost(self, channel: AbstractChannel, *_: object) -> None:
        if channel is self._channel and self._consumer is not None:
            self._consumer = None
            log.info("broker_consumer_lost", queue=self.queue, reason="cancelled or closed")
            self._on_trouble()

    async def _receive(self, channel: AbstractChannel, message: AbstractIncomingMessage) -> None:
        if self._ended or channel is not self._channel:
            return
        self._on_delivery(
            Delivery(
                body=message.body,
                redelivered=bool(message.redelivered),
                ack=partial(_settle, message, "ack"),
                reject=partial(_settle, message, "reject"),
            )
        )

    async def _detach(self) -> None:
        channel, self._channel, self._consumer = self._channel, None, None
        if channel is not None:
            await close_channel(channel)

    def _channel_closed(self) -> bool:
        return self._channel is None or self._channel.is_closed


async def _settle(message: AbstractIncomingMessage, verb: Literal["ack", "reject"]) -> None:
    """On a dead channel there is nothing to settle: the message comes again."""
    call = message.ack() if verb == "ack" else message.reject(requeue=True)
    try:
        await answered(call, doing=f"sending {verb}")
    except BrokerUnavailable as exc:
        log.info("broker_settle_lost", verb=verb, reason=str(exc))
