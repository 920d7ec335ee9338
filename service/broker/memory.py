"""The broker of the embedded default: the same promises as RabbitMQ's, kept inside one process."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog

from service import telemetry
from service.broker.base import Delivery, Depth, Subscription
from service.broker.topology import NEVER_DROP, Topology
from service.domain.errors import BrokerUnavailable

log = structlog.get_logger()


@dataclass(slots=True, eq=False)
class Held:
    """One message and how often it was given back."""

    body: bytes
    returns: int = 0


class Memory:
    """Pointers only: what is in here when the process ends is still owed in the outbox."""

    def __init__(self, topology: Topology) -> None:
        self._dead = Line(limit=topology.max_length, patience=NEVER_DROP, bury=_drop)
        work = Line(
            limit=topology.max_length, patience=topology.delivery_limit, bury=self._dead_letter
        )
        self._lines = {topology.work: work, topology.dead: self._dead}
        self._routable = {topology.work}
        self._open = True
        telemetry.BROKER_STATE.set(1)

    @property
    def open(self) -> bool:
        return self._open

    @property
    def trouble(self) -> str | None:
        return None if self._open else "The in-process broker was closed."

    async def wait_open(self) -> None:
        self._expect_open()

    async def publish(self, queue: str, body: bytes) -> None:
        self._expect_open()
        if queue not in self._routable:
            raise BrokerUnavailable(f"The in-process broker has no way to queue {queue}.")
        if not self._lines[queue].put(body):
            raise BrokerUnavailable(
                f"The in-process broker refuses messages for {queue}: it is full."
            )

    async def consume(
        self, queue: str, *, prefetch: int, on_delivery: Callable[[Delivery], None]
    ) -> Subscription:
        self._expect_open()
        return MemorySubscription(self._line(queue), prefetch=prefetch, on_delivery=on_delivery)

    async def depth(self, queue: str) -> Depth:
        self._expect_open()
        line = self._line(queue)
        return Depth(messages=len(line.ready), consumers=len(line.consumers))

    async def close(self) -> None:
        self._open = False
        telemetry.BROKER_STATE.set(0)
        for line in self._lines.values():
            for subscription in tuple(line.consumers):
                await subscription.close()

    def _line(self, queue: str) -> "Line":
        if queue not in self._lines:
            raise BrokerUnavailable(f"The in-process broker has no queue {queue}.")
        return self._lines[queue]

    def _expect_open(self) -> None:
        if not self._open:
            raise BrokerUnavailable("The in-process broker was closed.")

    def _dead_letter(self, body: bytes) -> None:
        if not self._dead.put(body):
            _drop(body)


class Line:
    """A bounded queue and who waits at it; consumers take turns."""

    def __init__(self, *, limit: int, patience: int, bury: Callable[[bytes], None]) -> None:
        self._limit = limit
        self._patience = patience
        self._bury = bury
        self._stirred = False
        self.ready: deque[Held] = deque()
        self.consumers: deque[MemorySubscription] = deque()

    def put(self, body: bytes) -> bool:
        if len(self.ready) >= self._limit:
            return False
        self.ready.append(Held(body))
        self.stir()
        return True

    def give_back(self, held: Held) -> None:
        """Put it in front again, or bury what was given back too often."""
        held.returns += 1
        if held.returns > self._patience:
            self._bury(held.body)
        else:
            self.ready.appendleft(held)
            self.stir()

    def stir(self) -> None:
        """Hand out soon: never inside the call of a publisher."""
        if not self._stirred:
            self._stirred = True
            asyncio.get_running_loop().call_soon(self._hand_out)

    def _hand_out(self) -> None:
        self._stirred = False
        while self.ready and (consumer := self._next()) is not None:
            consumer.take(self.ready.popleft())

    def _next(self) -> "MemorySubscription | None":
        for _ in range(len(self.consumers)):
            self.consumers.rotate(-1)
            if self.consumers[-1].has_room:
                return self.consumers[-1]
        return None


class MemorySubscription:
    def __init__(
        self, line: Line, *, prefetch: int, on_delivery: Callable[[Delivery], None]
    ) -> None:
        self._line = line
        self._prefetch = prefetch
        self._on_delivery = on_delivery
        self._out: dict[Held, None] = {}
        line.consumers.append(self)
        line.stir()

    @property
    def has_room(self) -> bool:
        return len(self._out) < self._prefetch

    def take(self, held: Held) -> None:
        self._out[held] = None
        ack, reject = partial(self._ack, held), partial(self._reject, held)
        redelivered = held.returns > 0
        self._on_delivery(Delivery(body=held.body, redelivered=redelivered, ack=ack, reject=reject))

    async def cancel(self) -> None:
        if self in self._line.consumers:
            self._line.consumers.remove(self)

    async def close(self) -> None:
        await self.cancel()
        out, self._out = self._out, {}
        for held in reversed(out):
            self._line.give_back(held)

    async def _ack(self, held: Held) -> None:
        if self._let_go(held, verb="ack"):
            self._line.stir()

    async def _reject(self, held: Held) -> None:
        if self._let_go(held, verb="reject"):
            self._line.give_back(held)

    def _let_go(self, held: Held, *, verb: str) -> bool:
        if held in self._out:
            del self._out[held]
            return True
        log.info("broker_settle_lost", verb=verb, reason="The subscription was closed.")
        return False


def _drop(body: bytes) -> None:
    log.error("broker_message_dropped", size=len(body))
