"""The consumer: acks follow the fold, whatever happens to the channel, the store or the fold."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from service.broker import wire
from service.broker.base import Delivery, Subscription
from service.broker.consumer import Consumer
from service.broker.memory import Memory
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable
from service.store import pool, progress
from service.store.pool import Pool
from tests.owed import Folding, away, count, eventually, owe_in, running

pytestmark = pytest.mark.postgres

TOPOLOGY = Topology("consumer")
WORK = TOPOLOGY.work


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        yield opened


@pytest.fixture
async def broker() -> AsyncIterator[Memory]:
    memory = Memory(TOPOLOGY)
    yield memory
    await memory.close()


@pytest.fixture
def folding(store: Pool) -> Folding:
    return Folding(store)


@pytest.fixture
def consumer(broker: Memory, store: Pool, folding: Folding) -> Consumer:
    return Consumer(broker, TOPOLOGY, store, folding.fold)


async def now(store: Pool) -> datetime:
    async with pool.session(store) as tx:
        moment: datetime = await tx.fetchval("SELECT now()")
    return moment


async def taken(store: Pool) -> datetime | None:
    async with pool.session(store) as tx:
        return await progress.read(tx, [WORK])


async def queue_up(
    store: Pool, broker: Memory, *, messages: int = 1, ids: int = 1, age: float = 0.0
) -> list[UUID]:
    """Owe entries and publish messages that name them, so many seconds ago."""
    published_at = await now(store) - timedelta(seconds=age)
    owed = []
    for _ in range(messages):
        named = await owe_in(store, ids)
        await broker.publish(WORK, wire.encode(named, published_at))
        owed += named
    return owed


async def ready(broker: Memory) -> int:
    return (await broker.depth(WORK)).messages


def called(folding: Folding, times: int = 1) -> Callable[[], "asyncio.Future[bool]"]:
    async def enough() -> bool:
        return len(folding.calls) >= times

    return lambda: asyncio.ensure_future(enough())


async def test_what_waits_is_folded_in_batches_of_four_hundred(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker, messages=10, ids=100)
    async with running(consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert [400, 400, 200] == [len(ids) for ids in folding.calls]
    assert (0, 0) == (await ready(broker), await count(store))


async def test_an_id_that_two_messages_name_is_folded_once(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker, ids=2)
    await broker.publish(WORK, wire.encode(owed[::-1], await now(store)))
    async with running(consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert [owed] == folding.calls


async def test_a_message_that_was_not_folded_goes_back(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    await queue_up(store, broker)
    folding.open.clear()
    task = asyncio.create_task(consumer.run(asyncio.Event()))
    await eventually(called(folding))
    task.cancel()
    await asyncio.wait({task})
    assert await ready(broker) == 1


async def test_stopping_finishes_the_batch_in_hand_and_leaves_the_rest(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker, messages=20, ids=100)
    folding.open.clear()
    async with running(consumer.run):
        await eventually(called(folding))
        asyncio.get_running_loop().call_later(0.05, folding.open.set)
    assert owed[:400] == folding.finished
    assert await ready(broker) == 16


async def test_a_message_that_cannot_be_read_is_put_away(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    await broker.publish(WORK, b"[junk")
    owed = await queue_up(store, broker)
    await broker.publish(WORK, b"{}")
    with capture_logs() as logs:
        async with running(consumer.run):
            await eventually(lambda: folding.has_finished(owed))
    assert ["message_malformed"] * 2 == [each["event"] for each in logs]
    assert (0, [owed]) == (await ready(broker), folding.calls)


async def test_messages_are_kept_while_the_store_is_away(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker, messages=3)
    folding.failures = [away(), away()]
    async with running(consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert [owed] * 3 == folding.calls


async def test_stopping_does_not_wait_for_the_store_to_come_back(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    await queue_up(store, broker)
    folding.failures = [away() for _ in range(99)]
    async with running(consumer.run):
        await eventually(called(folding, 2))
    assert await ready(broker) == 1


async def test_a_fold_that_breaks_gives_its_messages_back_and_they_come_one_by_one(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker, messages=3)
    folding.failures = [LookupError("a bug")]
    async with running(consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    assert owed == folding.calls[0]
    assert [[each] for each in sorted(owed)] == sorted(folding.calls[1:])


async def test_the_running_fold_survives_the_loss_of_its_channel(
    store: Pool, broker: Memory, folding: Folding, consumer: Consumer
) -> None:
    owed = await queue_up(store, broker)
    folding.open.clear()
    async with running(consumer.run):
        await eventually(called(folding))
        await broker.close()
        folding.open.set()
        await eventually(lambda: folding.has_finished(owed))


class TestProgress:
    async def test_is_the_publish_time_of_what_is_taken(
        self, store: Pool, broker: Memory, consumer: Consumer
    ) -> None:
        before = await now(store)
        await queue_up(store, broker, age=600)

        async def reported() -> bool:
            return await taken(store) is not None

        async with running(consumer.run):
            await eventually(reported)
            found = await taken(store)
            assert found is not None
            assert 600 == round((before - found).total_seconds())

    async def test_is_the_time_of_an_empty_queue(self, store: Pool, consumer: Consumer) -> None:
        before = await now(store)

        async def caught_up() -> bool:
            found = await taken(store)
            return found is not None and found >= before

        async with running(consumer.run):
            await eventually(caught_up)

    async def test_stands_still_while_messages_wait(
        self, store: Pool, broker: Memory, folding: Folding, consumer: Consumer
    ) -> None:
        """Other workers are busy with older ones: nothing says that those are lost."""
        await queue_up(store, broker, messages=20, ids=100, age=60)
        folding.failures = [away() for _ in range(99)]
        async with running(consumer.run):
            await eventually(called(folding, 5))
            found = await taken(store)
            assert found is None or found < await now(store) - timedelta(seconds=50)


class Deaf(Memory):
    """Its first subscription never delivers, though the queue counts it as a consumer."""

    subscriptions = 0

    async def consume(
        self, queue: str, *, prefetch: int, on_delivery: Callable[[Delivery], None]
    ) -> Subscription:
        self.subscriptions += 1
        prefetch = prefetch if self.subscriptions > 1 else 0
        return await super().consume(queue, prefetch=prefetch, on_delivery=on_delivery)


async def test_a_subscription_that_has_gone_deaf_is_given_up(store: Pool, folding: Folding) -> None:
    broker = Deaf(TOPOLOGY)
    owed = await queue_up(store, broker)
    consumer = Consumer(broker, TOPOLOGY, store, folding.fold)
    with pytest.raises(BrokerUnavailable, match="none comes"):
        await consumer.run(asyncio.Event())
    assert await taken(store) is None
    async with running(consumer.run):
        await eventually(lambda: folding.has_finished(owed))
    await broker.close()


async def test_it_waits_for_a_broker_that_cannot_be_subscribed_to(
    store: Pool, folding: Folding
) -> None:
    class Reluctant(Memory):
        refusals = 2

        async def consume(
            self, queue: str, *, prefetch: int, on_delivery: Callable[[Delivery], None]
        ) -> Subscription:
            if self.refusals:
                self.refusals -= 1
                raise BrokerUnavailable("Not yet.")
            return await super().consume(queue, prefetch=prefetch, on_delivery=on_delivery)

    broker = Reluctant(TOPOLOGY)
    owed = await queue_up(store, broker)
    async with running(Consumer(broker, TOPOLOGY, store, folding.fold).run):
        await eventually(lambda: folding.has_finished(owed))
    await broker.close()
