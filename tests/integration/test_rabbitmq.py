"""The RabbitMQ broker where it differs from a queue in memory: it can break in many ways."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import aio_pika
import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from prometheus_client import REGISTRY
from yarl import URL

from service.broker import declaration, mender, rabbitmq
from service.broker.base import Delivery, Depth
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable, ConfigurationError
from tests.rabbitmq import Rabbit

pytestmark = pytest.mark.rabbitmq

MIGRATE = "run `orderhook migrate`"
FORGET = """
{ok, Q} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"%s">>)),
All = rabbit_amqqueue:consumers(Q),
[ra:process_command(amqqueue:get_pid(Q),
    rabbit_fifo:make_checkout({element(2, C), element(1, C)}, cancel, #{})) || C <- All],
length(All).
"""
"""Takes every consumer out of a quorum queue, behind the back of its channel."""
NO_PROCESS = "ra:force_delete_server(quorum_queues, {'%%2F_%s', node()})."
"""What a crash of a young server leaves behind: a queue that is known and has no process."""
SILENT = "sys:suspend(whereis('%%2F_%s'))."


@pytest.fixture
async def topology(amqp_url: str, topology_prefix: str) -> Topology:
    """A declared topology of the test's own."""
    topology = Topology(prefix=topology_prefix)
    await rabbitmq.declare(amqp_url, topology, settle=0)
    return topology


@pytest.fixture
async def broker(amqp_url: str, topology: Topology) -> AsyncIterator[rabbitmq.Rabbit]:
    async with rabbitmq.connect(amqp_url, topology) as broker:
        await broker.wait_open()
        yield broker


class Proxy:
    """A TCP relay in front of the server that can swallow bytes or cut its connections."""

    def __init__(self, url: str) -> None:
        self._target = URL(url)
        self._through = asyncio.Event()
        self._through.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._port = 0

    @property
    def url(self) -> str:
        return str(self._target.with_host("127.0.0.1").with_port(self._port))

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def freeze(self) -> None:
        self._through.clear()

    def thaw(self) -> None:
        self._through.set()

    def cut(self) -> None:
        for writer in self._writers:
            writer.transport.abort()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut()
            self.thaw()
            await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target.host, self._target.port
        server_reader, server_writer = await asyncio.open_connection(host, port)
        ends = {writer, server_writer}
        self._writers |= ends
        with suppress(OSError):
            await asyncio.gather(
                self._pipe(reader, server_writer), self._pipe(server_reader, writer)
            )
        self._writers -= ends

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while chunk := await reader.read(65536):
                await self._through.wait()
                writer.write(chunk)
                await writer.drain()
        finally:
            writer.close()


@pytest.fixture
async def proxy(amqp_url: str) -> AsyncIterator[Proxy]:
    proxy = Proxy(amqp_url)
    await proxy.start()
    yield proxy
    await proxy.stop()


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while True:
            if condition():
                return
            await asyncio.sleep(0.02)


async def _until_depth(
    broker: rabbitmq.Rabbit, queue: str, *, messages: int = 0, consumers: int = 0
) -> None:
    async with asyncio.timeout(20):
        while True:
            if await broker.depth(queue) == Depth(messages, consumers):
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _channel(url: str) -> AsyncIterator[aio_pika.abc.AbstractChannel]:
    """A look at the server past the code under test."""
    async with await aio_pika.connect(url) as connection, connection.channel() as channel:
        yield channel


async def _delete_queues(url: str, topology: Topology) -> None:
    async with _channel(url) as channel:
        for queue in topology.queues:
            await channel.queue_delete(queue.name)


def _transitions(link: str, state: str) -> float:
    labels = {"link": link, "state": state}
    return REGISTRY.get_sample_value("orderhook_broker_transitions_total", labels) or 0


# Publishing


async def test_a_message_is_persistent_and_has_an_id_of_its_own(
    broker: rabbitmq.Rabbit, amqp_url: str, topology: Topology
) -> None:
    await broker.publish(topology.work, b"one")
    await broker.publish(topology.work, b"one")
    async with _channel(amqp_url) as channel:
        queue = await channel.get_queue(topology.work)
        first, second = await queue.get(), await queue.get()
    assert {aio_pika.DeliveryMode.PERSISTENT} == {first.delivery_mode, second.delivery_mode}
    assert first.message_id
    assert first.message_id != second.message_id


async def test_every_one_of_several_unroutable_publishes_is_reported(
    broker: rabbitmq.Rabbit,
) -> None:
    attempts = [broker.publish("nowhere", b"same") for _ in range(3)]
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert [BrokerUnavailable] * 3 == [type(result) for result in results]
    assert MIGRATE in str(results[0])


async def test_many_publishes_at_once_are_all_confirmed(
    broker: rabbitmq.Rabbit, topology: Topology
) -> None:
    await asyncio.gather(*(broker.publish(topology.work, b"x") for _ in range(200)))
    await _until_depth(broker, topology.work, messages=200)


async def test_a_body_that_is_no_pointer_is_a_mistake_of_the_caller(
    broker: rabbitmq.Rabbit, topology: Topology
) -> None:
    with pytest.raises(ValueError, match="no pointer"):
        await broker.publish(topology.work, b"x" * 300_000)


async def test_an_exchange_that_vanished_closes_the_broker_to_publishers(
    broker: rabbitmq.Rabbit, amqp_url: str, topology: Topology
) -> None:
    async with _channel(amqp_url) as channel:
        await channel.exchange_delete(topology.exchange)
    with pytest.raises(BrokerUnavailable):
        await broker.publish(topology.work, b"one")
    assert not broker.open
    await asyncio.wait_for(broker.wait_open(), 20)
    await broker.publish(topology.work, b"two")


# Broken connections


async def test_a_cut_connection_is_replaced_and_its_consumer_too(
    proxy: Proxy, topology: Topology
) -> None:
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with rabbitmq.connect(proxy.url, topology) as broker:
        await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
        await broker.wait_open()
        await broker.publish(topology.work, b"one")
        held = await arrived.get()
        before = _transitions("publish", "connecting")
        proxy.cut()
        await _until(lambda: not broker.open)
        await broker.wait_open()
        assert before < _transitions("publish", "connecting")
        await held.ack()
        again = await asyncio.wait_for(arrived.get(), 20)
        assert (b"one", True) == (again.body, again.redelivered)
        await again.ack()
        await broker.publish(topology.work, b"two")
        assert b"two" == (await asyncio.wait_for(arrived.get(), 20)).body


async def test_a_publish_without_a_connection_fails_at_once(
    proxy: Proxy, topology: Topology
) -> None:
    async with rabbitmq.connect(proxy.url, topology) as broker:
        await broker.wait_open()
        await proxy.stop()
        await _until(lambda: not broker.open)
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(broker.publish(topology.work, b"one"), 0.5)


async def test_a_broker_that_comes_late_is_waited_for(proxy: Proxy, topology: Topology) -> None:
    await proxy.stop()
    async with rabbitmq.connect(proxy.url, topology) as broker:
        await _until(lambda: "refuses connections: is it running?" in (broker.trouble or ""))
        await proxy.start()
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"one")


async def test_a_frozen_broker_fails_a_publish_in_time_and_works_again_when_it_thaws(
    proxy: Proxy, topology: Topology
) -> None:
    """No task may die of it: aiormq ends calls on a silent connection as cancelled."""
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with rabbitmq.connect(proxy.url, topology, publish_timeout=0.5) as broker:
        await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
        await broker.wait_open()
        proxy.freeze()
        with pytest.raises(BrokerUnavailable, match=r"did not answer within 0\.5 s"):
            await asyncio.wait_for(broker.publish(topology.work, b"lost?"), 2)
        assert not broker.open
        proxy.thaw()
        await asyncio.wait_for(broker.wait_open(), 30)
        await broker.publish(topology.work, b"two")
        async with asyncio.timeout(20):
            while (await arrived.get()).body != b"two":
                pass


async def test_heartbeats_that_stay_away_are_survived(proxy: Proxy, topology: Topology) -> None:
    """The client cancels what waits on a silent connection, with nobody having asked for it."""
    url = str(URL(proxy.url).update_query(heartbeat=1))
    async with rabbitmq.connect(url, topology, publish_timeout=20) as broker:
        await broker.wait_open()
        await broker.publish(topology.work, b"one")
        proxy.freeze()
        with pytest.raises(BrokerUnavailable):
            await asyncio.wait_for(broker.publish(topology.work, b"lost?"), 15)
        proxy.thaw()
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"two")


async def test_a_broker_closes_in_time_while_frozen(proxy: Proxy, topology: Topology) -> None:
    async with asyncio.timeout(15), rabbitmq.connect(proxy.url, topology) as broker:
        await broker.wait_open()
        proxy.freeze()


async def test_a_supervising_task_that_is_cancelled_from_outside_starts_again(
    broker: rabbitmq.Rabbit, topology: Topology
) -> None:
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("broker-")]
    assert len(tasks) == 2
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    await _until(lambda: not broker.open)
    await asyncio.wait_for(broker.wait_open(), 20)
    await broker.publish(topology.work, b"one")


# Trouble in the server


async def test_deleted_queues_are_declared_anew_and_consumed_again(
    broker: rabbitmq.Rabbit, amqp_url: str, topology: Topology
) -> None:
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
    await broker.publish(topology.work, b"one")
    held = await arrived.get()
    await _delete_queues(amqp_url, topology)
    with pytest.raises(BrokerUnavailable):
        await broker.publish(topology.work, b"two")
    assert not broker.open, "fresh queues are not used at once"
    await asyncio.wait_for(broker.wait_open(), 20)
    await held.ack()
    await rabbitmq.verify(amqp_url, topology)
    await broker.publish(topology.work, b"three")
    assert b"three" == (await asyncio.wait_for(arrived.get(), 20)).body


async def test_a_consumer_hears_of_a_deleted_queue_without_publishing(
    broker: rabbitmq.Rabbit, amqp_url: str, topology: Topology
) -> None:
    await broker.consume(topology.work, prefetch=5, on_delivery=lambda _: None)
    await _until_depth(broker, topology.work, consumers=1)
    await _delete_queues(amqp_url, topology)
    await _until(lambda: broker.trouble is not None)
    await asyncio.wait_for(broker.wait_open(), 20)
    await _until_depth(broker, topology.work, consumers=1)


@pytest.mark.parametrize("state", [NO_PROCESS, SILENT])
async def test_a_queue_that_stays_without_a_leader_is_deleted_and_declared_anew(
    amqp_url: str, rabbit: Rabbit, topology: Topology, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    monkeypatch.setattr(declaration, "LEADER_TIMEOUT", 1.0)
    monkeypatch.setattr(mender, "GONE", 1.0)
    monkeypatch.setattr(mender, "SILENT", 1.0)
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with rabbitmq.connect(amqp_url, topology, publish_timeout=1) as broker:
        await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
        await broker.wait_open()
        await _until_depth(broker, topology.work, consumers=1)
        await asyncio.to_thread(rabbit.ctl, "eval", state % topology.work)
        with pytest.raises(BrokerUnavailable):
            await broker.publish(topology.work, b"lost")
        await _until(lambda: broker.trouble is not None)
        await asyncio.wait_for(broker.wait_open(), 30)
        await broker.publish(topology.work, b"found")
        assert b"found" == (await asyncio.wait_for(arrived.get(), 20)).body


async def test_a_queue_whose_leader_comes_back_is_left_alone(
    amqp_url: str, rabbit: Rabbit, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declaration, "LEADER_TIMEOUT", 1.0)
    async with rabbitmq.connect(amqp_url, topology, publish_timeout=1) as broker:
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"kept")
        async with _channel(amqp_url) as channel:
            held = await (await channel.get_queue(topology.work)).get()
            await asyncio.to_thread(rabbit.ctl, "eval", SILENT % topology.work)
            with pytest.raises(BrokerUnavailable):
                await broker.publish(topology.work, b"two")
            await _until(lambda: "does not answer" in (broker.trouble or ""))
            resume = SILENT.replace("suspend", "resume") % topology.work
            await asyncio.to_thread(rabbit.ctl, "eval", resume)
            await asyncio.wait_for(broker.wait_open(), 20)
            assert held.body == b"kept"
        assert (await broker.depth(topology.work)).messages >= 1


async def test_migrate_deletes_only_a_queue_whose_leader_is_gone_for_good(
    amqp_url: str, rabbit: Rabbit, topology: Topology, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(declaration, "LEADER_TIMEOUT", 1.0)
    await asyncio.to_thread(rabbit.ctl, "eval", NO_PROCESS % topology.work)
    assert (topology.work,) == await rabbitmq.declare(amqp_url, topology, settle=0)
    await asyncio.to_thread(rabbit.ctl, "eval", SILENT % topology.dead)
    with pytest.raises(BrokerUnavailable, match=f"{topology.dead} does not answer"):
        await rabbitmq.declare(amqp_url, topology, settle=0)


async def test_bindings_that_were_removed_are_made_anew(
    broker: rabbitmq.Rabbit, rabbit: Rabbit, amqp_url: str, topology: Topology
) -> None:
    """At once where a message finds no way; where nobody publishes, by the next look."""
    async with _channel(amqp_url) as channel:
        for queue in topology.queues:
            await (await channel.get_queue(queue.name)).unbind(queue.exchange, queue.name)
    with pytest.raises(BrokerUnavailable, match="no way to queue"):
        await broker.publish(topology.work, b"one")
    await asyncio.wait_for(broker.wait_open(), 20)
    await broker.publish(topology.work, b"two")
    bindings = await asyncio.to_thread(rabbit.ctl, "list_bindings", "source_name")
    assert {topology.exchange, topology.dead_exchange} <= set(bindings.split())


async def test_a_consumer_that_the_server_lost_without_a_word_is_attached_again(
    broker: rabbitmq.Rabbit, rabbit: Rabbit, topology: Topology
) -> None:
    """A quorum queue forgets whom it serves, and the channel knows nothing of it."""
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
    await _until_depth(broker, topology.work, consumers=1)
    forgotten = FORGET % topology.work
    assert "1" == (await asyncio.to_thread(rabbit.ctl, "eval", forgotten)).strip()
    await _until_depth(broker, topology.work, consumers=0)
    await broker.publish(topology.work, b"one")
    assert b"one" == (await asyncio.wait_for(arrived.get(), 30)).body


async def test_connections_closed_by_an_operator_come_back(
    rabbit: Rabbit, topology: Topology
) -> None:
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with rabbitmq.connect(rabbit.url, topology) as broker:
        await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
        await broker.wait_open()
        before = _transitions("consume", "connecting")
        await asyncio.to_thread(rabbit.ctl, "close_all_connections", "maintenance")
        await _until(lambda: _transitions("consume", "connecting") > before)
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"one")
        assert b"one" == (await asyncio.wait_for(arrived.get(), 20)).body


async def test_a_killed_server_comes_back_with_its_messages(
    rabbit: Rabbit, topology_prefix: str
) -> None:
    """Only because the queues had time to settle: see the architecture decision record."""
    topology = Topology(topology_prefix)
    await rabbitmq.declare(rabbit.url, topology)
    arrived: asyncio.Queue[Delivery] = asyncio.Queue()
    async with rabbitmq.connect(rabbit.url, topology) as broker:
        await broker.wait_open()
        for body in (b"one", b"two"):
            await broker.publish(topology.work, body)
        await asyncio.to_thread(rabbit.kill)
        await _until(lambda: not broker.open)
        rabbit.start()  # not in a thread: the server ends with the thread that started it
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.consume(topology.work, prefetch=5, on_delivery=arrived.put_nowait)
        found = [(await asyncio.wait_for(arrived.get(), 20)).body for _ in range(2)]
        assert [b"one", b"two"] == found


async def test_an_alarm_is_named_and_ends_by_itself(rabbit: Rabbit, topology: Topology) -> None:
    async with rabbitmq.connect(rabbit.url, topology, publish_timeout=0.5) as broker:
        await broker.wait_open()
        await broker.publish(topology.work, b"one")
        await asyncio.to_thread(rabbit.ctl, "set_vm_memory_high_watermark", "0.00001")
        try:
            with pytest.raises(BrokerUnavailable):
                await broker.publish(topology.work, b"lost?")
            await _until(lambda: "memory or disk alarm" in (broker.trouble or ""))
            assert (await broker.depth(topology.work)).messages >= 1
        finally:
            await asyncio.to_thread(rabbit.ctl, "set_vm_memory_high_watermark", "0.4")
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"two")


# Declaring and verifying


async def test_declaring_again_is_quick_and_changes_nothing(
    amqp_url: str, topology: Topology
) -> None:
    async with asyncio.timeout(2):
        assert () == await rabbitmq.declare(amqp_url, topology)
    await rabbitmq.verify(amqp_url, topology)


async def test_a_fresh_queue_is_given_time_to_settle(amqp_url: str, topology_prefix: str) -> None:
    started = asyncio.get_running_loop().time()
    await rabbitmq.declare(amqp_url, Topology(topology_prefix), settle=0.5)
    assert asyncio.get_running_loop().time() - started >= 0.5


async def test_verifying_an_empty_server_names_the_remedy_and_makes_nothing(
    amqp_url: str, topology_prefix: str
) -> None:
    topology = Topology(topology_prefix)
    with pytest.raises(ConfigurationError, match=MIGRATE):
        await rabbitmq.verify(amqp_url, topology)
    async with _channel(amqp_url) as channel:
        with pytest.raises(ChannelNotFoundEntity):
            await channel.get_queue(topology.work)


async def test_a_role_declares_what_is_missing(amqp_url: str, topology_prefix: str) -> None:
    topology = Topology(topology_prefix)
    await rabbitmq.make_sure(amqp_url, topology, settle=0)
    await rabbitmq.verify(amqp_url, topology)


async def test_a_role_makes_sure_of_nothing_that_differs(amqp_url: str, topology: Topology) -> None:
    await _delete_queues(amqp_url, topology)
    await rabbitmq.declare(amqp_url, replace(topology, delivery_limit=9), settle=0)
    with pytest.raises(ConfigurationError, match="other arguments"):
        await rabbitmq.make_sure(amqp_url, topology, settle=0)


@pytest.mark.parametrize("ask", [rabbitmq.verify, rabbitmq.declare])
async def test_a_queue_with_other_arguments_is_reported_with_the_remedy(
    ask: Callable[[str, Topology], Awaitable[object]], amqp_url: str, topology: Topology
) -> None:
    other = replace(topology, delivery_limit=9)
    with pytest.raises(ConfigurationError, match=r"other arguments .*'x-delivery-limit'.* delete"):
        await ask(amqp_url, other)


@pytest.fixture
async def humble_url(rabbit: Rabbit, topology: Topology) -> AsyncIterator[str]:
    """The server as a user sees it who may write and read, and configure nothing."""
    await asyncio.to_thread(rabbit.ctl, "add_user", topology.prefix, "secret")
    permissions = (topology.prefix, "^$", ".*", ".*")
    await asyncio.to_thread(rabbit.ctl, "set_permissions", *permissions)
    yield str(URL(rabbit.url).with_user(topology.prefix).with_password("secret"))
    await asyncio.to_thread(rabbit.ctl, "delete_user", topology.prefix)


async def test_roles_need_no_permission_to_declare(humble_url: str, topology: Topology) -> None:
    await rabbitmq.make_sure(humble_url, topology)
    async with rabbitmq.connect(humble_url, topology) as broker:
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"one")
    with pytest.raises(ConfigurationError, match="configure permission"):
        await rabbitmq.declare(humble_url, topology)


async def test_a_role_that_may_not_delete_names_the_remedy_and_waits_for_it(
    humble_url: str,
    amqp_url: str,
    rabbit: Rabbit,
    topology: Topology,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mender, "GONE", 1.0)
    async with rabbitmq.connect(humble_url, topology, publish_timeout=2) as broker:
        await asyncio.wait_for(broker.wait_open(), 20)
        await asyncio.to_thread(rabbit.ctl, "eval", NO_PROCESS % topology.work)
        with pytest.raises(BrokerUnavailable):
            await broker.publish(topology.work, b"lost")
        await _until(lambda: "rabbitmqctl delete_queue" in (broker.trouble or ""))
        await asyncio.sleep(3)
        assert not broker.open
        await rabbitmq.declare(amqp_url, topology, settle=0)
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"two")


async def test_a_role_that_may_not_declare_names_the_remedy_and_waits_for_it(
    humble_url: str, amqp_url: str, topology: Topology
) -> None:
    async with rabbitmq.connect(humble_url, topology) as broker:
        await asyncio.wait_for(broker.wait_open(), 20)
        await _delete_queues(amqp_url, topology)
        with pytest.raises(BrokerUnavailable):
            await broker.publish(topology.work, b"one")
        await _until(lambda: MIGRATE in (broker.trouble or ""))
        with pytest.raises(ConfigurationError, match=MIGRATE):
            await rabbitmq.make_sure(humble_url, topology)
        assert not broker.open
        made = await rabbitmq.declare(amqp_url, topology, settle=0)
        assert {topology.work, topology.dead} == set(made)
        await asyncio.wait_for(broker.wait_open(), 20)
        await broker.publish(topology.work, b"two")


# Failing to connect


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"port": 1}, "refuses connections: is it running?"),
        ({"password": "hunter2"}, "refuses the user name or password of"),
        ({"path": "/hunter3"}, "has no virtual host 'hunter3' that"),
        ({"host": "no-such-host.invalid"}, "the host name cannot be resolved"),
        ({"scheme": "amqps"}, "cannot be reached over TLS"),
    ],
)
async def test_a_connection_that_fails_says_why_without_the_password(
    amqp_url: str, change: dict[str, object], sentence: str
) -> None:
    url = URL(amqp_url)
    for part, value in change.items():
        url = getattr(url, f"with_{part}")(value)
    with pytest.raises(BrokerUnavailable) as caught:
        await rabbitmq.verify(str(url), Topology())
    assert sentence in str(caught.value)
    assert f":{url.password}@" not in str(caught.value)
    assert "hunter2" not in str(caught.value)
