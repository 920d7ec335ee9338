"""The fast path: it takes a batch only when that is free, and what fails stays owed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime
from uuid import UUID

import pytest

from service.broker import wire
from service.broker.base import Delivery
from service.broker.fast_path import IN_FLIGHT, FastPath
from service.broker.memory import Memory
from service.broker.topology import Topology
from service.store import outbox, pool
from service.store.pool import Pool
from tests.owed import count, eventually, owe, running

pytestmark = pytest.mark.postgres

TOPOLOGY = Topology("fast")
UNPUBLISHED = "published_at IS NULL"


class Gated(Memory):
    """Confirms a publish only while its gate is open."""

    def __init__(self, topology: Topology) -> None:
        super().__init__(topology)
        self.gate = asyncio.Event()
        self.gate.set()

    async def publish(self, queue: str, body: bytes) -> None:
        await self.gate.wait()
        await super().publish(queue, body)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        yield opened


@pytest.fixture
async def broker() -> AsyncIterator[Gated]:
    gated = Gated(TOPOLOGY)
    yield gated
    await gated.close()


async def committed(store: Pool, number: int) -> tuple[list[UUID], datetime]:
    """Store entries as the gateway does after a successful `reserve`."""
    async with pool.transaction(store) as tx:
        ids = await owe(tx, number, due=outbox.LEASE.total_seconds(), published=0)
        return ids, await tx.fetchval("SELECT now()")


async def ready(path: FastPath) -> None:
    async def reserved() -> bool:
        return path.reserve()

    await eventually(reserved)


async def drained(broker: Gated) -> Sequence[tuple[UUID, ...]]:
    """Take every message out of the queue."""
    heard: list[tuple[UUID, ...]] = []

    def hear(delivery: Delivery) -> None:
        heard.append(wire.decode(delivery.body).ids)

    expected = (await broker.depth(TOPOLOGY.work)).messages
    subscription = await broker.consume(TOPOLOGY.work, prefetch=1000, on_delivery=hear)

    async def all_heard() -> bool:
        return len(heard) >= expected

    await eventually(all_heard)
    await subscription.cancel()
    return heard


async def test_it_is_closed_until_it_has_seen_the_window(store: Pool, broker: Gated) -> None:
    path = FastPath(broker, TOPOLOGY, store)
    assert not path.reserve()
    async with running(path.run):
        await ready(path)
        path.release()


async def test_only_a_few_batches_are_under_way(store: Pool, broker: Gated) -> None:
    path = FastPath(broker, TOPOLOGY, store)
    async with running(path.run):
        await ready(path)
        assert [True] * (IN_FLIGHT - 1) == [path.reserve() for _ in range(IN_FLIGHT - 1)]
        assert not path.reserve()
        path.release()
        assert path.reserve()
        for _ in range(IN_FLIGHT):
            path.release()


async def test_what_is_sent_reaches_the_broker_and_gives_the_place_back(
    store: Pool, broker: Gated
) -> None:
    path = FastPath(broker, TOPOLOGY, store)
    async with running(path.run):
        for number in (1, 250, 0, 1, 1, 1):
            await ready(path)
            path.send(*await committed(store, number))
    messages = await drained(broker)
    assert [1, 1, 1, 1, 50, 100, 100] == sorted(len(ids) for ids in messages)
    assert await count(store, UNPUBLISHED) == 0


async def test_a_refused_batch_is_owed_again(store: Pool) -> None:
    broker = Gated(Topology("fast", max_length=1))
    path = FastPath(broker, TOPOLOGY, store)
    async with running(path.run):
        await ready(path)
        path.send(*await committed(store, 250))
    assert [100] == [len(ids) for ids in await drained(broker)]
    assert await count(store, UNPUBLISHED) == 150
    await broker.close()


async def test_it_closes_at_once_when_its_own_batches_fill_the_window(
    store: Pool, broker: Gated
) -> None:
    path = FastPath(broker, TOPOLOGY, store, window=10)
    async with running(path.run):
        await ready(path)
        path.send(*await committed(store, 10))
        assert not path.reserve()


async def test_it_opens_again_when_the_workers_make_room(store: Pool, broker: Gated) -> None:
    ids, _ = await committed(store, 10)
    path = FastPath(broker, TOPOLOGY, store, window=10)
    async with running(path.run):
        await asyncio.sleep(0)
        assert not path.reserve()
        async with pool.transaction(store) as tx:
            await outbox.finish(tx, ids)
        await ready(path)
        path.release()


async def test_it_is_closed_while_the_broker_is_away(store: Pool, broker: Gated) -> None:
    path = FastPath(broker, TOPOLOGY, store)
    async with running(path.run):
        await ready(path)
        path.release()
        await broker.close()
        assert not path.reserve()


async def test_it_is_closed_while_it_cannot_see_the_window(database: str, broker: Gated) -> None:
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(pool.opened(database, size=1))
        path = FastPath(broker, TOPOLOGY, store)
        async with running(path.run):
            await ready(path)
            path.release()
            store.terminate()

            async def closed() -> bool:
                if path.reserve():
                    path.release()
                    return False
                return True

            await eventually(closed)


async def test_stopping_closes_it_and_lets_publishes_end(store: Pool, broker: Gated) -> None:
    path = FastPath(broker, TOPOLOGY, store)
    async with running(path.run):
        await ready(path)
        broker.gate.clear()
        path.send(*await committed(store, 5))
        asyncio.get_running_loop().call_later(0.05, broker.gate.set)
    assert [5] == [len(ids) for ids in await drained(broker)]
    assert not path.reserve()
