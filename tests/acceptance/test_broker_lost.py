"""RabbitMQ dies, is away, forgets: PostgreSQL is the truth, and everything owed is carried anew."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import aio_pika
import pytest

from service.broker import rabbitmq
from service.broker.topology import Topology
from tests.acceptance import checker
from tests.acceptance.bridge import Bridge
from tests.acceptance.senders import posts, stories
from tests.acceptance.stage import Stage
from tests.acceptance.test_crashes import ROLES, burst
from tests.rabbitmq import Rabbit

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]


@pytest.fixture(scope="session")
def keeper() -> Iterator[ThreadPoolExecutor]:
    """A thread that outlives every test: a server ends with the thread that started it."""
    with ThreadPoolExecutor(1) as executor:
        yield executor


async def test_rabbitmq_killed_and_started_again_in_the_middle_of_a_burst(
    bare_stage: Stage, rabbit: Rabbit, keeper: ThreadPoolExecutor
) -> None:
    stage = bare_stage
    await stage.open_crm()
    said = await asyncio.to_thread(stage.verb, "migrate")
    assert 0 == said.code, said
    await stage.open(*ROLES)
    witness = stage.witness()
    async with burst(witness, seed=30):
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(keeper, rabbit.kill)
        await loop.run_in_executor(keeper, rabbit.start)
    await checker.prove(witness, stage.places)


async def test_rabbitmq_away_at_the_start_delays_orders_but_no_answers(stage: Stage) -> None:
    await stage.open_crm()
    bridge = Bridge(stage.broker)
    await bridge.open()
    stage.broker = bridge.url
    await bridge.cut()
    await stage.open(*ROLES)
    witness = stage.witness()
    await witness.send(posts(stories(30, seed=31), witness.sources, seed=31))
    assert {202} == {one.status for one in witness.attempts}
    await bridge.open()
    await checker.prove(witness, stage.places)
    await bridge.cut()


async def test_queues_purged_in_the_middle_of_a_burst_are_filled_anew(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("gateway", "relay")
    witness = stage.witness()
    async with burst(witness, seed=32):
        await _purge(stage, least=1)
        await stage.open("worker-1", "worker-2")
        for _ in range(10):
            await _purge(stage)
            await asyncio.sleep(0.05)
    await checker.prove(witness, stage.places)


async def _purge(stage: Stage, *, least: int = 0) -> None:
    """Forget every waiting message, once there are some."""
    async with asyncio.timeout(20), await aio_pika.connect(stage.broker) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(Topology(stage.prefix).work, ensure=False)
        gone = (await queue.purge()).message_count or 0
        while gone < least:
            await asyncio.sleep(0.05)
            gone += (await queue.purge()).message_count or 0


async def test_a_broker_wiped_with_events_in_flight_is_filled_from_the_outbox(
    stage: Stage,
) -> None:
    """Exchanges and queues are gone altogether; the roles make them again."""
    await stage.open_crm()
    await stage.open(*ROLES)
    witness = stage.witness()
    async with burst(witness, seed=33):
        await _wipe(stage)
    await checker.prove(witness, stage.places)
    await rabbitmq.verify(stage.broker, Topology(stage.prefix))


async def _wipe(stage: Stage) -> None:
    topology = Topology(stage.prefix)
    async with asyncio.timeout(20), await aio_pika.connect(stage.broker) as connection:
        channel = await connection.channel()
        for queue in topology.queues:
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            await channel.exchange_delete(exchange)
