"""RabbitMQ dies, hangs, refuses and forgets; no sender may notice."""

import asyncio
import signal
import subprocess
import time
from contextlib import suppress

import aio_pika
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import AMQPError, DeliveryError

from service.broker.topology import Topology
from tests.torture.faults.base import Fault
from tests.torture.plant import Plant
from tests.torture.weather import Weather

BY_ITSELF = 45.0
"""Seconds the service has to declare anew what is gone, once the broker answers."""
UNTOLD = 240.0
"""Seconds more at most, in which the broker's own tool did not answer."""

CONFIRMS = ("gateway-broker", "relay-broker")
NOBODY = b"01900000-0000-7000-8000-000000000000"
GARBAGE = (
    b"",
    b"not JSON",
    b"\x00" * 200,
    b'{"v":2,"published_at":"2026-11-22T08:00:00+00:00","ids":[]}',
    b'{"v":1,"published_at":"yesterday","ids":["x"]}',
    b'{"v":1,"published_at":"2026-11-22T08:00:00+00:00","ids":["%b"]}' % NOBODY,
)


class _Broker(Fault):
    target = "broker"

    async def heal(self, plant: Plant) -> None:
        await plant.broker.start()


class Killed(_Broker):
    code, name = "F16", "RabbitMQ killed"
    seconds = (0.5, 5.0)
    weight = 2.0

    async def inject(self, plant: Plant) -> str:
        plant.kills["broker"] += 1
        await plant.broker.kill()
        return ""


class Frozen(_Broker):
    code, name = "F17", "RabbitMQ frozen"
    seconds = (5.0, 40.0)

    async def inject(self, plant: Plant) -> str:
        plant.broker.send(signal.SIGSTOP)
        return ""

    async def heal(self, plant: Plant) -> None:
        plant.broker.send(signal.SIGCONT)


class MemoryAlarm(_Broker):
    code, name = "F18", "memory alarm"
    seconds = (3.0, 12.0)

    async def inject(self, plant: Plant) -> str:
        await plant.broker.ctl("set_vm_memory_high_watermark", "0.00001")
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.broker.ctl("set_vm_memory_high_watermark", "0.4")


class DiskAlarm(_Broker):
    code, name = "F19", "disk alarm"
    seconds = (3.0, 12.0)

    async def inject(self, plant: Plant) -> str:
        await plant.broker.ctl("set_disk_free_limit", "900GB")
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.broker.ctl("set_disk_free_limit", "50MB")


class ConnectionsClosed(_Broker):
    code, name = "F20", "connections closed by the operator"

    async def inject(self, plant: Plant) -> str:
        times = self.chance.randint(1, 3)
        for _ in range(times):
            await plant.broker.ctl("close_all_connections", "torture")
        return f"{times} times"

    async def heal(self, plant: Plant) -> None:
        return


class QueuePurged(_Broker):
    code, name = "F21", "queue purged"

    async def inject(self, plant: Plant) -> str:
        gone, times = 0, self.chance.randint(3, 20)
        for _ in range(times):
            with suppress(AMQPError, OSError, TimeoutError):
                gone += await _purge(plant)
            await asyncio.sleep(0.05)
        return f"{times} times, {gone} messages"

    async def heal(self, plant: Plant) -> None:
        return


async def _purge(plant: Plant) -> int:
    async with asyncio.timeout(10), await aio_pika.connect(plant.broker.url) as connection:
        channel = await connection.channel()
        queue = await channel.get_queue(Topology(plant.prefix).work, ensure=False)
        return (await queue.purge()).message_count or 0


class _Missing(_Broker):
    """Something declared is gone; the service must bring it back."""

    async def heal(self, plant: Plant) -> None:
        await plant.broker.start()
        await declared(plant)


async def declared(plant: Plant) -> None:
    """Wait for everything to be there again; the service is stuck where it is not, in time."""
    deadline = time.monotonic() + BY_ITSELF
    latest = deadline + UNTOLD
    while time.monotonic() < min(deadline, latest):
        asked = time.monotonic()
        known = await is_declared(plant)
        if known:
            return
        if known is None:  # what nobody could tell in the meantime is no failure of the service
            deadline += time.monotonic() - asked
        await asyncio.sleep(0.5)
    plant.stuck.append(f"the queues were not declared anew within {BY_ITSELF:g} s")
    async with asyncio.timeout(120):
        while (said := await plant.verb("migrate")).code != 0:
            plant.remarks.append(f"orderhook migrate failed: {said.err.strip()[-200:]}")
            await asyncio.sleep(1)


async def is_declared(plant: Plant) -> bool | None:
    """None when the broker's own tool does not say, as on a machine that is very busy."""
    topology = Topology(plant.prefix)
    try:
        bindings = await plant.broker.ctl("list_bindings", "source_name", "destination_name")
    except subprocess.SubprocessError:
        return None
    pairs = {tuple(line.split("\t")) for line in bindings.splitlines()}
    bound = all((queue.exchange, queue.name) in pairs for queue in topology.queues)
    return bound and await have_leaders(plant, topology)


async def have_leaders(plant: Plant, topology: Topology) -> bool:
    """What a get took goes back when its channel is closed."""
    try:
        async with asyncio.timeout(20), await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            for queue in topology.queues:
                asked = await channel.get_queue(queue.name, ensure=False)
                await asked.get(fail=False, timeout=10)
    except (AMQPError, OSError, TimeoutError):
        return False
    return True


class QueueDeleted(_Missing):
    """The server cancels its consumers, too."""

    code, name = "F21", "queue deleted"

    async def inject(self, plant: Plant) -> str:
        topology = Topology(plant.prefix)
        queue = self.chance.choice([queue.name for queue in topology.queues])
        async with asyncio.timeout(20), await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(queue)
        return queue


class BindingRemoved(_Missing):
    code, name = "F21", "binding removed"

    async def inject(self, plant: Plant) -> str:
        topology = Topology(plant.prefix)
        queue = self.chance.choice(topology.queues)
        async with asyncio.timeout(20), await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            found = await channel.get_queue(queue.name, ensure=False)
            await found.unbind(queue.exchange, queue.name)
        return queue.name


class Leaderless(_Missing):
    """A quorum queue made anew, filled at once, and its server killed: RabbitMQ 3.10 loses it."""

    code, name = "F22", "young queue killed"
    seconds = (0.5, 2.0)

    async def inject(self, plant: Plant) -> str:
        topology = Topology(plant.prefix)
        async with asyncio.timeout(30), await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            await channel.queue_delete(topology.work)
            for queue in topology.queues:
                made = await channel.declare_queue(
                    queue.name, durable=True, arguments=dict(queue.arguments)
                )
                await made.bind(queue.exchange)
        await asyncio.sleep(0.6)
        plant.kills["broker"] += 1
        await plant.broker.kill()
        return ""

    async def heal(self, plant: Plant) -> None:
        """Gone for good, it is for the service; what may only be slow is an operator's to judge."""
        await plant.broker.start()
        work = Topology(plant.prefix).work
        if await is_silent(plant, work):
            plant.remarks.append(f"{work} did not answer: an operator deleted it")
            with suppress(subprocess.SubprocessError):
                await plant.broker.ctl("delete_queue", work)
        await declared(plant)


async def is_silent(plant: Plant, queue: str) -> bool:
    """Whether a queue that is there keeps whoever takes from it waiting, without an error."""
    try:
        async with await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            waiting = await channel.get_queue(queue, ensure=False)
            try:
                await waiting.get(fail=False, timeout=10)
            except TimeoutError:
                return True
    except (AMQPError, OSError):
        return False
    return False


class Wiped(_Missing):
    code, name = "F23", "RabbitMQ wiped"
    seconds = (0.5, 2.0)

    async def inject(self, plant: Plant) -> str:
        plant.kills["broker"] += 1
        await plant.broker.kill()
        await plant.broker.wipe()
        return ""


class ConfirmsHeld(_Broker):
    code, name = "F24", "confirms held back"
    seconds = (3.0, 30.0)

    async def inject(self, plant: Plant) -> str:
        await plant.weather(CONFIRMS, Weather(hold=("down",)))
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.weather(CONFIRMS, cut=self.chance.random() < 0.5)


class ConsumerTimeout(_Broker):
    """A worker that holds messages too long loses its channel."""

    code, name = "F25", "consumer timeout"
    seconds = (20.0, 30.0)
    weight = 0.5

    async def inject(self, plant: Plant) -> str:
        await plant.broker.ctl_eval("application:set_env(rabbit, consumer_timeout, 5000).")
        await plant.broker.ctl_eval("application:set_env(rabbit, channel_tick_interval, 5000).")
        await plant.broker.ctl("close_all_connections", "torture")
        self.victim = self.chance.choice(plant.of("worker"))
        await asyncio.sleep(3)
        self.victim.send(signal.SIGSTOP)
        return self.victim.name

    async def heal(self, plant: Plant) -> None:
        self.victim.send(signal.SIGCONT)
        await plant.broker.ctl_eval("application:set_env(rabbit, consumer_timeout, 1800000).")
        await plant.broker.ctl_eval("application:set_env(rabbit, channel_tick_interval, 60000).")


class QueueFull(_Broker):
    code, name = "F26", "queue at its limit"
    seconds = (3.0, 12.0)

    async def inject(self, plant: Plant) -> str:
        pattern = f"^{plant.prefix}\\.work$"
        await plant.broker.ctl(
            "set_policy", "torture", pattern, '{"max-length": 1}', "--apply-to", "queues"
        )
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.broker.ctl("clear_policy", "torture")


class Garbage(_Broker):
    """Messages that nobody of us wrote: some name no work, some name work that is not there."""

    code, name = "F21", "garbage in the queue"
    seconds = (1.0, 4.0)

    async def inject(self, plant: Plant) -> str:
        times = self.chance.randint(1, 4)
        within, queue = asyncio.timeout(BY_ITSELF), Topology(plant.prefix).work
        async with within, await aio_pika.connect(plant.broker.url) as connection:
            channel = await connection.channel()
            for _ in range(times):
                body = self.chance.choice(GARBAGE)
                message = Message(body, delivery_mode=DeliveryMode.PERSISTENT)
                await self._put(channel, message, queue)
        return f"{times} messages"

    async def _put(self, channel: AbstractChannel, message: Message, queue: str) -> None:
        """Again while it is refused: another fault may have left a queue that is mended first."""
        while True:
            with suppress(DeliveryError):
                await channel.default_exchange.publish(message, routing_key=queue)
                return
            await asyncio.sleep(0.5)

    async def heal(self, plant: Plant) -> None:
        return
