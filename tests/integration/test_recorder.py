"""The broker's net: what lay beside a crash survives, what causes one is found and buried."""

import asyncio
from collections.abc import AsyncIterator
from multiprocessing.context import ForkServerProcess

import pytest
from structlog.testing import capture_logs

from service import telemetry
from service.broker import rabbitmq, wire
from service.broker.memory import Memory
from service.broker.recorder import Recorder
from service.broker.relay import Relay
from service.broker.topology import Topology
from service.domain.events import Event
from service.ops import ledger
from service.store import outbox, partitions, pool
from service.store.acceptance import Arrival, accept
from service.store.ids import new_id
from service.store.pool import Pool
from tests import crashing, make
from tests.owed import count, eventually, owe_in, running

pytestmark = pytest.mark.postgres

TOPOLOGY = Topology("recorder")


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        await partitions.ensure(opened)
        yield opened


async def accepted(store: Pool, refs: list[str]) -> None:
    """Store one event per order, owed and not published."""
    for ref in refs:
        event: Event = make.event(id=new_id(), ref=ref)
        arrival = Arrival(
            new_id(), "shop", event.received_at, "", "POST", "/", "", {}, b"", [event]
        )
        await accept(store, [arrival], process=new_id(), published=False, lease=outbox.LEASE)


async def asked(store: Pool, query: str) -> list[tuple[object, ...]]:
    async with pool.session(store) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


class Undertaker(Memory):
    """Puts messages straight into the dead-letter queue."""

    async def bury(self, body: bytes) -> None:
        self._dead_letter(body)


@pytest.fixture
async def broker() -> AsyncIterator[Undertaker]:
    memory = Undertaker(TOPOLOGY)
    yield memory
    await memory.close()


async def came_back(
    store: Pool, broker: Undertaker, *, messages: int = 1, solo: bool = False
) -> None:
    for _ in range(messages):
        owed = await owe_in(store, 2, solo=solo)
        await asked(
            store, "UPDATE outbox SET published_at = now(), due_at = now() + interval '9 s'"
        )
        [(at,)] = await asked(store, "SELECT now()")
        await broker.bury(wire.encode([*owed, new_id()], at))  # type: ignore[arg-type]


async def settled(broker: Undertaker) -> bool:
    return (await broker.depth(TOPOLOGY.dead)).messages == 0


FOUND = """
    SELECT solo, crashes, published_at IS NULL, due_at <= now(), count(*)
    FROM outbox GROUP BY 1, 2, 3, 4
"""
FREE = "SELECT count(*) FROM (SELECT FROM outbox FOR UPDATE SKIP LOCKED) AS free"


async def test_what_came_back_is_owed_at_once_and_alone(store: Pool, broker: Undertaker) -> None:
    await came_back(store, broker)
    async with running(Recorder(broker, TOPOLOGY, store).run):

        async def recorded() -> bool:
            return await count(store, "solo") == 2

        await eventually(recorded)
    assert [(True, 1, True, True, 2)] == await asked(store, FOUND)
    assert [] == await asked(store, "SELECT FROM dead_letters")


async def test_to_come_back_again_counts_no_more(store: Pool, broker: Undertaker) -> None:
    await came_back(store, broker, solo=True)
    async with running(Recorder(broker, TOPOLOGY, store).run):

        async def recorded() -> bool:
            return await count(store, "published_at IS NULL") == 2

        await eventually(recorded)
    assert [(True, 0, True, True, 2)] == await asked(store, FOUND)


async def test_an_entry_on_trial_is_left_to_its_trial(store: Pool, broker: Undertaker) -> None:
    await came_back(store, broker, solo=True)
    await asked(
        store, "UPDATE outbox SET published_at = NULL, due_at = now() + interval '9 s', crashes = 2"
    )
    async with running(Recorder(broker, TOPOLOGY, store).run):
        await eventually(lambda: settled(broker))
    assert [(True, 2, True, False, 2)] == await asked(store, FOUND)


async def test_what_cannot_be_read_is_put_away(store: Pool, broker: Undertaker) -> None:
    await broker.bury(b"[junk")
    await came_back(store, broker)
    with capture_logs() as logs:
        async with running(Recorder(broker, TOPOLOGY, store).run):

            async def recorded() -> bool:
                return await count(store, "solo") == 2

            await eventually(recorded)
    assert ["message_malformed", "work_came_back"] == [line["event"] for line in logs]


async def test_a_queue_nobody_empties_is_told_of(store: Pool, broker: Undertaker) -> None:
    await came_back(store, broker, messages=3)
    with capture_logs() as logs:
        async with running(Recorder(broker, TOPOLOGY, store, look=0.01).watch):

            async def told() -> bool:
                return any(line["event"] == "dead_queue_waits" for line in logs)

            await eventually(told)
    assert 3 == telemetry.DEAD_QUEUE._value.get()  # noqa: SLF001


class Road:
    """Relay and recorder on a real RabbitMQ, and workers that can be killed."""

    def __init__(self, store: Pool, dsn: str, amqp: str, prefix: str) -> None:
        self.store = store
        self._place = (dsn, amqp, prefix)
        self.workers: list[ForkServerProcess] = []

    def hire(self, *, slow: float = 0.0) -> ForkServerProcess:
        worker = crashing.start(*self._place, slow=slow)
        self.workers.append(worker)
        return worker

    def fire(self) -> None:
        for worker in self.workers:
            if worker.is_alive():
                worker.kill()
            worker.join(10)

    async def busy(self) -> bool:
        """Whether a worker is in the midst of a fold: it holds locks on entries."""
        return await asked(self.store, FREE) != [(await count(self.store),)]

    async def hurry(self) -> None:
        """Let the time of every trial be over."""
        await asked(self.store, "UPDATE outbox SET due_at = now() WHERE published_at IS NULL")


@pytest.fixture
async def road(
    store: Pool, database: str, amqp_url: str, topology_prefix: str
) -> AsyncIterator[Road]:
    topology = Topology(topology_prefix)
    await rabbitmq.declare(amqp_url, topology, settle=0.0)
    async with rabbitmq.connect(amqp_url, topology) as broker:
        await broker.wait_open()
        relay, recorder = Relay(broker, topology, store), Recorder(broker, topology, store, look=1)
        made = Road(store, database, amqp_url, topology_prefix)
        async with running(relay.run, recorder.run):
            yield made
            made.fire()


@pytest.mark.rabbitmq
@pytest.mark.timeout(120)
async def test_innocent_entries_survive_any_number_of_kills(road: Road, store: Pool) -> None:
    refs = [str(number) for number in range(400)]
    await accepted(store, refs)
    for _ in range(24):
        worker = road.hire(slow=0.002)
        await eventually(road.busy)
        await asyncio.sleep(0.05)  # the kill lands somewhere in a fold
        worker.kill()
        worker.join(10)
    assert await count(store, "solo") > 0
    road.hire()

    async def folded() -> bool:
        await road.hurry()
        return await count(store) == 0

    await eventually(folded, within=60)
    book = await ledger.read(store)
    assert (True, 400, 0) == (book["balanced"], book["totals"]["applied"], book["totals"]["dead"])


@pytest.mark.rabbitmq
@pytest.mark.timeout(120)
async def test_an_entry_that_kills_its_workers_ends_as_poison_and_alone(
    road: Road, store: Pool
) -> None:
    await accepted(store, [*map(str, range(40)), crashing.DEADLY, *map(str, range(40, 150))])
    deaths = 0
    worker = road.hire()

    async def folded() -> bool:
        nonlocal worker, deaths
        await road.hurry()
        if not worker.is_alive():
            worker.join()
            assert crashing.DEATH == worker.exitcode
            deaths += 1
            worker = road.hire()
        return await count(store) == 0

    await eventually(folded, within=90)
    book = await ledger.read(store)
    assert (True, 150, 1) == (book["balanced"], book["totals"]["applied"], book["totals"]["dead"])
    assert [("poison", crashing.DEADLY)] == await asked(
        store,
        "SELECT reason, ref FROM dead_letters d JOIN events e ON e.id = d.event_id",
    )
    # Six of the message it came in, four alone; copies made while no worker lived cost more.
    assert 10 <= deaths <= 30
