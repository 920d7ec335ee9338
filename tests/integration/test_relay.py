"""The relay on a real PostgreSQL: it misses nothing, copies little, and outlives its broker."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import aio_pika
import pytest

from service.broker import rabbitmq, wire
from service.broker.base import Broker, Delivery
from service.broker.consumer import Consumer
from service.broker.memory import Memory
from service.broker.relay import Relay
from service.broker.topology import Topology
from service.store import pool, progress
from service.store.pool import Pool
from service.supervisor import Supervisor
from tests.owed import Folding, age, count, eventually, owe, owe_in, running

pytestmark = pytest.mark.postgres

PUBLISHED = "published_at IS NOT NULL"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=8) as opened:
        yield opened


@pytest.fixture
def topology(topology_prefix: str) -> Topology:
    return Topology(topology_prefix)


@pytest.fixture
async def memory(topology: Topology) -> AsyncIterator[Memory]:
    broker = Memory(topology)
    yield broker
    await broker.close()


@pytest.fixture
async def rabbit_broker(amqp_url: str, topology: Topology) -> AsyncIterator[Broker]:
    await rabbitmq.declare(amqp_url, topology, settle=0)
    async with rabbitmq.connect(amqp_url, topology) as broker:
        async with asyncio.timeout(10):
            await broker.wait_open()
        yield broker


@asynccontextmanager
async def listening(broker: Broker, topology: Topology) -> AsyncIterator[list[tuple[UUID, ...]]]:
    """Collect the ids of every message without folding anything."""
    heard: list[tuple[UUID, ...]] = []

    def hear(delivery: Delivery) -> None:
        heard.append(wire.decode(delivery.body).ids)

    subscription = await broker.consume(topology.work, prefetch=1000, on_delivery=hear)
    yield heard
    await subscription.close()


def flat(messages: Sequence[Sequence[UUID]]) -> list[UUID]:
    return sorted(each for ids in messages for each in ids)


async def report_empty(store: Pool, topology: Topology) -> None:
    async with pool.session(store) as tx:
        await progress.report(tx, topology.work, published_at=None)


async def test_what_is_owed_reaches_the_broker_once(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    owed = await owe_in(store, 250)

    async def all_published() -> bool:
        return await count(store, PUBLISHED) == 250

    async with listening(memory, topology) as heard:
        async with running(Relay(memory, topology, store).run):
            await eventually(all_published)
        assert sorted(owed) == flat(heard)
        assert [100, 100, 50] == [len(ids) for ids in heard]


async def test_a_suspect_travels_in_a_message_of_its_own(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    innocent = await owe_in(store, 2)
    [suspect] = await owe_in(store, solo=True)

    async def all_published() -> bool:
        return await count(store, PUBLISHED) == 3

    async with listening(memory, topology) as heard:
        async with running(Relay(memory, topology, store).run):
            await eventually(all_published)
        assert sorted([tuple(innocent), (suspect,)]) == sorted(heard)


async def test_no_more_than_the_window_is_handed_over(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    owed = await owe_in(store, 30)
    folding = Folding(store)
    most = 0

    async def all_folded() -> bool:
        nonlocal most
        most = max(most, await count(store, PUBLISHED))
        return await folding.has_finished(owed)

    consumer = Consumer(memory, topology, store, folding.fold)
    async with running(Relay(memory, topology, store, window=7).run, consumer.run):
        await eventually(all_folded)
    assert most <= 7
    assert sorted(owed) == sorted(folding.finished)


async def test_live_entries_go_before_an_older_backlog(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    async with pool.session(store) as tx:
        await owe(tx, 5, priority=9, due=-600)
        live = await owe(tx, 3)

    async def window_is_full() -> bool:
        return await count(store, PUBLISHED) == 4

    async with listening(memory, topology) as heard:
        async with running(Relay(memory, topology, store, window=4).run):
            await eventually(window_is_full)
        assert live == list(heard[0][:3])


async def test_a_backlog_without_a_consumer_causes_no_copies(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    """However old: the workers have not come so far yet."""
    await report_empty(store, topology)
    owed = await owe_in(store, 150)

    async def all_published() -> bool:
        return await count(store, f"NOT {PUBLISHED}") == 0

    async with running(Relay(memory, topology, store).run):
        await eventually(all_published)
        async with pool.session(store) as tx:
            await tx.execute("UPDATE progress SET taken_published_at = now() - interval '1 h'")
        await age(store, 60)
        owed += await owe_in(store)
        await eventually(all_published)
    async with listening(memory, topology) as heard:
        await eventually(lambda: asyncio.sleep(0, len(flat(heard)) >= 151))
        assert sorted(owed) == flat(heard)


async def test_an_old_backlog_that_is_worked_off_causes_no_copies(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    folding = Folding(store)
    owed: list[UUID] = []
    async with pool.session(store) as tx:
        for number in range(60):
            ids = await owe(tx, 10, due=20 * number - 1300, published=20 * number - 1310)
            moment = await tx.fetchval(
                "SELECT published_at FROM outbox WHERE event_id = $1", ids[0]
            )
            await memory.publish(topology.work, wire.encode(ids, moment))
            owed += ids

    async def fold_slowly(ids: Sequence[UUID]) -> None:
        await asyncio.sleep(0.4)
        await folding.fold(ids)

    consumer = Consumer(memory, topology, store, fold_slowly)
    async with running(Relay(memory, topology, store).run, consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert sorted(owed) == sorted(each for ids in folding.calls for each in ids)


async def test_what_the_broker_lost_is_redriven_though_the_window_is_full(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    async with pool.session(store) as tx:
        lost = await owe(tx, 5, due=-1, published=-11)
        await owe(tx, 5)
    await report_empty(store, topology)

    async def heard_again() -> bool:
        return set(lost) <= set(flat(heard))

    async with listening(memory, topology) as heard:
        async with running(Relay(memory, topology, store, window=5).run):
            await eventually(heard_again)
        assert sorted(lost) == flat(heard)


async def test_a_refused_publish_leaves_the_entries_owed(store: Pool) -> None:
    topology = Topology("full", max_length=1)
    broker = Memory(topology)
    owed = await owe_in(store, 150)
    folding = Folding(store)

    async def one_message_in_the_queue() -> bool:
        return (await broker.depth(topology.work)).messages == 1

    async with running(Relay(broker, topology, store).run):
        await eventually(one_message_in_the_queue)
        await eventually(lambda: _some_released(store))
        async with running(Consumer(broker, topology, store, folding.fold).run):
            await eventually(lambda: folding.has_finished(owed))
    await broker.close()


async def _some_released(store: Pool) -> bool:
    return await count(store, f"NOT {PUBLISHED}") > 0


async def test_nothing_is_claimed_while_the_broker_is_away(store: Pool, topology: Topology) -> None:
    class Away(Memory):
        asked = 0

        @property
        def open(self) -> bool:
            self.asked += 1
            return False

    broker = Away(topology)
    await owe_in(store)

    async def asked_again_and_again() -> bool:
        return broker.asked > 3

    async with running(Relay(broker, topology, store).run):
        await eventually(asked_again_and_again)
    assert await count(store, PUBLISHED) == 0


async def test_two_relays_miss_nothing_and_copy_nothing(
    store: Pool, memory: Memory, topology: Topology
) -> None:
    relays = [Relay(memory, topology, store, window=5000) for _ in range(2)]
    owed: list[UUID] = []

    async def write() -> None:
        for _ in range(20):
            async with pool.transaction(store) as tx:
                owed.extend(await owe(tx, 20))
                await asyncio.sleep(0)

    async def all_heard() -> bool:
        return len(flat(heard)) >= len(owed)

    async with listening(memory, topology) as heard, running(*(relay.run for relay in relays)):
        await asyncio.gather(write(), write(), write())
        await eventually(all_heard)
        assert sorted(owed) == flat(heard)


async def test_the_relay_goes_on_after_its_connections_were_cut(
    store: Pool, memory: Memory, topology: Topology, database: str
) -> None:
    folding = Folding(store)

    async def one_more_is_folded() -> bool:
        return await folding.has_finished(first)

    async with (
        pool.opened(database, size=1) as own,
        running(
            Relay(memory, topology, own).run, Consumer(memory, topology, store, folding.fold).run
        ),
    ):
        first = await owe_in(store)
        await eventually(one_more_is_folded)
        async with pool.session(own) as tx:
            pid = await tx.fetchval("SELECT pg_backend_pid()")
        async with pool.session(store) as tx:
            await tx.fetchval("SELECT pg_terminate_backend($1)", pid)
        first = await owe_in(store)
        await eventually(one_more_is_folded)


@pytest.mark.rabbitmq
async def test_the_whole_way_over_rabbitmq(
    store: Pool, rabbit_broker: Broker, topology: Topology
) -> None:
    owed = await owe_in(store, 500)
    folding = Folding(store)
    consumer = Consumer(rabbit_broker, topology, store, folding.fold)
    async with running(Relay(rabbit_broker, topology, store).run, consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert sorted(owed) == sorted(folding.finished)
    assert await count(store) == 0


@pytest.mark.rabbitmq
async def test_what_was_in_a_purged_queue_is_redriven(
    store: Pool, rabbit_broker: Broker, topology: Topology, amqp_url: str
) -> None:
    owed = await owe_in(store, 300)
    folding = Folding(store)

    async def all_queued() -> bool:
        return (await rabbit_broker.depth(topology.work)).messages == 3

    async with running(Relay(rabbit_broker, topology, store, window=300).run):
        await eventually(all_queued)
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            await (await channel.get_queue(topology.work, ensure=False)).purge()
        owed += await owe_in(store, 50)
        await age(store, 15)
        async with running(Consumer(rabbit_broker, topology, store, folding.fold).run):
            await eventually(lambda: folding.has_finished(owed))
    assert sorted(owed) == sorted(folding.finished)


@pytest.mark.rabbitmq
async def test_a_broker_wiped_with_thousands_in_flight_is_declared_anew_and_filled_again(
    store: Pool, rabbit_broker: Broker, topology: Topology, amqp_url: str
) -> None:
    """All of them had been handed to it; nobody helps. 100 000 of them may take ten minutes."""
    async with pool.session(store) as tx:
        owed = await owe(tx, 5000, due=9.5, published=-0.5)
    folding = Folding(store)
    consumer = Consumer(rabbit_broker, topology, store, folding.fold)
    async with running(Relay(rabbit_broker, topology, store).run, consumer.run):
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            for queue in topology.queues:
                await channel.queue_delete(queue.name)
            for exchange in topology.exchanges:
                await channel.exchange_delete(exchange)
        await eventually(lambda: folding.has_finished(owed), within=50)
    assert sorted(owed) == sorted(folding.finished)


@pytest.mark.rabbitmq
async def test_a_deleted_queue_with_messages_in_flight_loses_nothing(
    store: Pool, rabbit_broker: Broker, topology: Topology, amqp_url: str
) -> None:
    """The running fold survives its channel; what waited in the queue comes again.

    RabbitMQ 3.10 now and then leaves such a consumer deaf; then it takes a quarter of a minute.
    """
    owed = await owe_in(store, 3000)
    folding = Folding(store)
    folding.open.clear()

    async def something_in_hand() -> bool:
        return bool(folding.calls)

    consumer = Consumer(rabbit_broker, topology, store, folding.fold)
    supervisor = Supervisor(restarted=lambda _: None)
    supervisor.start("consumer", consumer.run)
    async with running(Relay(rabbit_broker, topology, store).run):
        await eventually(something_in_hand)
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            await channel.queue_delete(topology.work)
        await rabbitmq.declare(amqp_url, topology, settle=0)
        folding.open.set()
        await age(store, 15)
        await eventually(lambda: folding.has_finished(owed), within=45)
    await supervisor.stop(5)
    assert sorted(owed) == sorted(folding.finished)
