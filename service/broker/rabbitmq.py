"""The broker over RabbitMQ: bytes and a queue name in, a confirmed publish or a consumer out."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import cast

from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, DeliveryError, PublishError
from aiormq import Channel, spec

from service.broker import declaration
from service.broker.base import Delivery, Depth, Subscription
from service.broker.connection import answered, open_channel, read_url
from service.broker.declaration import declare, make_sure, verify
from service.broker.link import FRESH, Link, State
from service.broker.mender import Mender
from service.broker.subscription import RabbitSubscription
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable
from service.store.ids import new_id

__all__ = ["Rabbit", "connect", "declare", "make_sure", "verify"]

PUBLISH_TIMEOUT = 10.0
PERSISTENT = 2
MAX_BODY = 256 * 1024


@asynccontextmanager
async def connect(
    url: str, topology: Topology, *, publish_timeout: float = PUBLISH_TIMEOUT
) -> AsyncIterator["Rabbit"]:
    """Start connecting and return at once; `wait_open` tells when it worked."""
    read_url(url)
    rabbit = Rabbit(url, topology, publish_timeout=publish_timeout)
    rabbit.start()
    try:
        yield rabbit
    finally:
        await rabbit.close()


class Rabbit:
    """Publishes on one connection, consumes and looks on another: alarms stop only publishers."""

    def __init__(self, url: str, topology: Topology, *, publish_timeout: float) -> None:
        self._topology = topology
        self._publish_timeout = publish_timeout
        mender = Mender(url, topology, mended=self._renew)
        self._publishing = Link(url, topology, name="publish", tend=_nothing, mender=mender)
        self._consuming = Link(url, topology, name="consume", tend=self._tend, mender=mender)
        self._outlets: dict[str, Outlet] = {}
        self._subscriptions: set[RabbitSubscription] = set()

    def start(self) -> None:
        self._publishing.start()
        self._consuming.start()

    @property
    def open(self) -> bool:
        return self._publishing.state is State.OPEN

    @property
    def trouble(self) -> str | None:
        return self._publishing.reason or self._consuming.reason or None

    async def wait_open(self) -> None:
        await self._publishing.wait_open()
        await self._consuming.wait_open()

    async def publish(self, queue: str, body: bytes) -> None:
        if len(body) > MAX_BODY:
            raise ValueError(f"a message of {len(body)} bytes is no pointer")
        outlet = self._outlet(queue)
        sending = _send(outlet, exchange=self._topology.exchange, queue=queue, body=body)
        doing = f"publishing to {queue}"
        try:
            await answered(sending, doing=doing, within=self._publish_timeout)
        except BrokerUnavailable as exc:
            raise self._judge(exc, queue=queue) from exc

    async def consume(
        self, queue: str, *, prefetch: int, on_delivery: Callable[[Delivery], None]
    ) -> Subscription:
        if queue not in {known.name for known in self._topology.queues}:
            raise BrokerUnavailable(f"RabbitMQ has no queue {queue}.")
        subscription = RabbitSubscription(
            queue,
            prefetch=prefetch,
            on_delivery=on_delivery,
            on_trouble=self._consuming.wake,
            on_end=self._subscriptions.discard,
        )
        self._subscriptions.add(subscription)
        self._consuming.wake()
        return subscription

    async def depth(self, queue: str) -> Depth:
        async with open_channel(self._consuming.connection) as channel:
            return await declaration.depth(channel, queue)

    async def close(self) -> None:
        await asyncio.gather(self._publishing.close(), self._consuming.close())

    def _outlet(self, queue: str) -> "Outlet":
        connection = self._publishing.connection
        outlet = self._outlets.get(queue)
        if outlet is None or outlet.connection is not connection:
            outlet = self._outlets[queue] = Outlet(connection)
        return outlet

    def _judge(self, failure: BrokerUnavailable, *, queue: str) -> BrokerUnavailable:
        """Say what the broker meant; anything but a plain refusal makes the connection suspect."""
        match failure.__cause__:
            case PublishError() | ChannelNotFoundEntity():
                missing = True
                verdict = f"RabbitMQ has no way to queue {queue}: run `orderhook migrate`."
            case DeliveryError():
                # So does a queue that lost its process.
                self._publishing.wake(thorough=True)
                return BrokerUnavailable(f"RabbitMQ refuses messages for {queue}: it is full.")
            case _:
                missing = False
                verdict = str(failure)
        self._publishing.doubt(verdict, missing=missing)
        return BrokerUnavailable(verdict)

    def _renew(self) -> None:
        """Start over with queues that were just made."""
        for subscription in self._subscriptions:
            subscription.doubt()
        for link in (self._publishing, self._consuming):
            link.doubt(FRESH, missing=True)

    async def _tend(self, connection: AbstractConnection, depths: Mapping[str, Depth]) -> None:
        for subscription in tuple(self._subscriptions):
            if not subscription.alive(depths[subscription.queue]):
                await subscription.attach(connection)


class Outlet:
    """The publishing channel of one queue: behind a stuck queue a whole channel hangs."""

    def __init__(self, connection: AbstractConnection) -> None:
        self.connection = connection
        self._opening = asyncio.Lock()
        self._channel: Channel | None = None

    async def channel(self) -> Channel:
        """The channel of aiormq: aio-pika's own publish costs as much again, for every message."""
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                outer = self.connection.channel(on_return_raises=True)
                await outer.initialize()
                self._channel = cast("Channel", await outer.get_underlay_channel())
            return self._channel


async def _send(outlet: Outlet, *, exchange: str, queue: str, body: bytes) -> None:
    """One attempt; a fresh id each, because the client finds a returned message by its id.

    It waits for the confirm, not for the socket: so many are under way that the next one may be
    written while this one is.
    """
    channel = await outlet.channel()
    confirmation = await channel.basic_publish(
        body,
        exchange=exchange,
        routing_key=queue,
        properties=spec.Basic.Properties(
            message_id=new_id().hex,
            content_type="application/json",
            delivery_mode=PERSISTENT,
        ),
        mandatory=True,
        wait=False,
    )
    if not isinstance(confirmation, spec.Basic.Ack):
        raise BrokerUnavailable(f"RabbitMQ did not confirm a message for {queue}.")


async def _nothing(_: AbstractConnection, __: Mapping[str, Depth]) -> None:
    """Do nothing: a publishing channel is opened when it is first used."""
