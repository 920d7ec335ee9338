"""What the road relies on, asked of both brokers."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import aio_pika
import pytest

from service.broker import rabbitmq
from service.broker.base import Broker, Delivery, Depth
from service.broker.memory import Memory
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable
from service.store.ids import new_id

Open = Callable[[Topology], AbstractAsyncContextManager[Broker]]


@pytest.fixture(params=["memory", pytest.param("rabbitmq", marks=pytest.mark.rabbitmq)])
def open_broker(request: pytest.FixtureRequest) -> Open:
    if request.param == "memory":
        return _in_memory
    url: str = request.getfixturevalue("amqp_url")
    return lambda topology: _on_rabbitmq(url, topology)


@asynccontextmanager
async def _in_memory(topology: Topology) -> AsyncIterator[Broker]:
    broker = Memory(topology)
    yield broker
    await broker.close()


@asynccontextmanager
async def _on_rabbitmq(url: str, topology: Topology) -> AsyncIterator[Broker]:
    await rabbitmq.declare(url, topology, settle=0)
    try:
        async with rabbitmq.connect(url, topology) as broker:
            yield broker
    finally:
        await _remove(url, topology)


async def _remove(url: str, topology: Topology) -> None:
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        for queue in topology.queues:
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            await channel.exchange_delete(exchange)


@pytest.fixture
def topology() -> Topology:
    return Topology(prefix=f"t{new_id().hex[-12:]}", delivery_limit=2)


@pytest.fixture
async def broker(open_broker: Open, topology: Topology) -> AsyncIterator[Broker]:
    async with open_broker(topology) as broker:
        await broker.wait_open()
        yield broker


class Inbox:
    """Deliveries as they come; `next` waits for one, `quiet` sees that none comes."""

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[Delivery] = asyncio.Queue()
        self.put = self._arrived.put_nowait

    async def next(self) -> Delivery:
        async with asyncio.timeout(10):
            return await self._arrived.get()

    async def take(self, count: int) -> list[Delivery]:
        return [await self.next() for _ in range(count)]

    async def quiet(self) -> bool:
        await asyncio.sleep(0.2)
        return self._arrived.empty()


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


async def _until_depth(broker: Broker, queue: str, *, messages: int) -> Depth:
    async with asyncio.timeout(10):
        while True:
            depth = await broker.depth(queue)
            if depth.messages == messages:
                return depth
            await asyncio.sleep(0.02)


async def _publish(broker: Broker, queue: str, *, times: int) -> None:
    for _ in range(times):
        await broker.publish(queue, b"one")


async def test_a_published_message_is_delivered(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"one")
    await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    delivery = await inbox.next()
    assert (b"one", False) == (delivery.body, delivery.redelivered)


async def test_a_consumer_gets_what_is_published_after_it_came(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    await broker.publish(topology.work, b"one")
    assert b"one" == (await inbox.next()).body


async def test_messages_come_in_the_order_of_publishing(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    bodies = [str(number).encode() for number in range(50)]
    for body in bodies:
        await broker.publish(topology.work, body)
    await broker.consume(topology.work, prefetch=50, on_delivery=inbox.put)
    assert bodies == [delivery.body for delivery in await inbox.take(50)]


async def test_an_acked_message_does_not_come_again(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"one")
    subscription = await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    await (await inbox.next()).ack()
    await subscription.close()
    assert 0 == (await _until_depth(broker, topology.work, messages=0)).messages


async def test_no_more_than_the_prefetch_is_in_hand(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    for body in (b"1", b"2", b"3"):
        await broker.publish(topology.work, body)
    await broker.consume(topology.work, prefetch=2, on_delivery=inbox.put)
    first, _ = await inbox.take(2)
    assert await inbox.quiet()
    await first.ack()
    assert b"3" == (await inbox.next()).body


async def test_a_rejected_message_comes_again_and_says_so(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"one")
    await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    await (await inbox.next()).reject()
    again = await inbox.next()
    assert (b"one", True) == (again.body, again.redelivered)


async def test_a_message_rejected_beyond_the_limit_ends_in_the_dead_queue(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"poison")
    await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    for _ in range(topology.delivery_limit + 1):
        await (await inbox.next()).reject()
    await _until_depth(broker, topology.dead, messages=1)
    buried = Inbox()
    await broker.consume(topology.dead, prefetch=1, on_delivery=buried.put)
    assert b"poison" == (await buried.next()).body
    assert await inbox.quiet()


async def test_a_dead_message_may_be_rejected_again_and_again(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"poison")
    await broker.consume(topology.work, prefetch=1, on_delivery=inbox.put)
    for _ in range(topology.delivery_limit + 1):
        await (await inbox.next()).reject()
    buried = Inbox()
    await broker.consume(topology.dead, prefetch=1, on_delivery=buried.put)
    for _ in range(25):
        await (await buried.next()).reject()
    assert b"poison" == (await buried.next()).body


async def test_a_closed_subscription_gives_back_what_was_not_acked(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    for body in (b"1", b"2"):
        await broker.publish(topology.work, body)
    subscription = await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    acked, kept = await inbox.take(2)
    await acked.ack()
    await subscription.close()
    other = Inbox()
    await broker.consume(topology.work, prefetch=5, on_delivery=other.put)
    again = await other.next()
    assert (kept.body, True) == (again.body, again.redelivered)
    assert await other.quiet()


async def test_an_ack_after_the_subscription_was_closed_does_nothing(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"one")
    subscription = await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    delivery = await inbox.next()
    await subscription.close()
    await delivery.ack()
    await delivery.reject()
    assert 1 == (await _until_depth(broker, topology.work, messages=1)).messages


async def test_a_cancelled_subscription_gets_no_more_but_may_still_ack(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    await broker.publish(topology.work, b"one")
    subscription = await broker.consume(topology.work, prefetch=5, on_delivery=inbox.put)
    delivery = await inbox.next()
    await subscription.cancel()
    await broker.publish(topology.work, b"two")
    assert await inbox.quiet()
    await delivery.ack()
    await subscription.close()
    assert 1 == (await _until_depth(broker, topology.work, messages=1)).messages


async def test_a_subscription_ends_as_often_as_one_likes(
    broker: Broker, topology: Topology
) -> None:
    subscription = await broker.consume(topology.work, prefetch=5, on_delivery=lambda _: None)
    await subscription.cancel()
    await subscription.close()
    await subscription.cancel()
    await subscription.close()
    await broker.publish(topology.work, b"one")
    assert Depth(1, 0) == await _until_depth(broker, topology.work, messages=1)


async def test_two_consumers_share_the_work(broker: Broker, topology: Topology) -> None:
    left, right = Inbox(), Inbox()
    await broker.consume(topology.work, prefetch=1, on_delivery=left.put)
    await broker.consume(topology.work, prefetch=1, on_delivery=right.put)
    await broker.publish(topology.work, b"1")
    await broker.publish(topology.work, b"2")
    assert {b"1", b"2"} == {(await left.next()).body, (await right.next()).body}


async def test_depth_counts_what_is_ready_and_who_waits(
    broker: Broker, topology: Topology, inbox: Inbox
) -> None:
    for body in (b"1", b"2", b"3"):
        await broker.publish(topology.work, body)
    assert Depth(3, 0) == await _until_depth(broker, topology.work, messages=3)
    await broker.consume(topology.work, prefetch=1, on_delivery=inbox.put)
    await inbox.next()
    assert Depth(2, 1) == await _until_depth(broker, topology.work, messages=2)


async def test_the_depth_of_a_queue_that_is_not_there_is_unknown(broker: Broker) -> None:
    with pytest.raises(BrokerUnavailable, match="has no queue nowhere"):
        await broker.depth("nowhere")
    assert broker.open


async def test_a_queue_that_is_not_there_cannot_be_consumed(broker: Broker) -> None:
    with pytest.raises(BrokerUnavailable, match="has no queue nowhere"):
        await broker.consume("nowhere", prefetch=1, on_delivery=lambda _: None)


async def test_a_message_no_queue_would_get_is_refused(broker: Broker) -> None:
    with pytest.raises(BrokerUnavailable, match="no way to queue nowhere"):
        await broker.publish("nowhere", b"one")


async def test_a_full_queue_refuses(open_broker: Open, topology: Topology) -> None:
    """RabbitMQ lets a few more in before it notices."""
    small = Topology(prefix=topology.prefix, max_length=3)
    async with open_broker(small) as broker:
        await broker.wait_open()
        with pytest.raises(BrokerUnavailable, match="it is full"):
            await _publish(broker, small.work, times=10)
        assert broker.open


async def test_a_closed_broker_says_so_at_once(broker: Broker, topology: Topology) -> None:
    assert (True, None) == (broker.open, broker.trouble)
    await broker.close()
    assert not broker.open
    assert "closed" in (broker.trouble or "")
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.publish(topology.work, b"one")
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.depth(topology.work)
    with pytest.raises(BrokerUnavailable, match="closed"):
        await broker.wait_open()
