"""One supervised connection to RabbitMQ: it connects, looks, says how it is, and starts over."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from typing import Literal, NoReturn

import structlog
from aio_pika.abc import AbstractConnection

from service import telemetry
from service.broker.base import Depth
from service.broker.connection import answered, opened
from service.broker.declaration import SETTLE, Damaged, Leaderless, look
from service.broker.mender import Mender
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable

LOOK_EVERY = 15.0
RETRY_EVERY = 1.0
"""While something is wrong with a broker that answers."""
RECONNECT_FIRST = 0.2
RECONNECT_MAX = 5.0
BREATH = 0.05
"""Between two looks, however many reasons come at once."""

LOST = "The connection to RabbitMQ was lost."
FRESH = "RabbitMQ has fresh queues: waiting until they can be trusted."

LinkName = Literal["publish", "consume"]
Tend = Callable[[AbstractConnection, Mapping[str, Depth]], Awaitable[None]]
log = structlog.get_logger()


class State(StrEnum):
    CONNECTING = "connecting"
    PROBING = "probing"
    OPEN = "open"
    SUSPECT = "suspect"
    CLOSED = "closed"


class Blocked(BrokerUnavailable):
    """The server answers but reads nothing from publishers: a memory or disk alarm."""


class Link:
    """`tend` is called after each good look; a BrokerUnavailable from it ends the connection.

    What a look finds missing is declared anew by the `mender`.
    """

    def __init__(
        self, url: str, topology: Topology, *, name: LinkName, tend: Tend, mender: Mender
    ) -> None:
        self._url = url
        self._topology = topology
        self._name = name
        self._tend = tend
        self._mender = mender
        self.state = State.CONNECTING
        self.reason = "RabbitMQ is not connected yet."
        self._connection: AbstractConnection | None = None
        self._doubted = False
        self._pause = RECONNECT_FIRST
        self._settled_at = 0.0
        self._wake = asyncio.Event()
        self._steady = asyncio.Event()
        self._task: asyncio.Task[NoReturn] | None = None

    def start(self) -> None:
        if self.state is State.CLOSED:
            return
        self._task = asyncio.create_task(self._run(), name=f"broker-{self._name}")
        self._task.add_done_callback(self._revive)

    @property
    def connection(self) -> AbstractConnection:
        """The open connection; raise BrokerUnavailable at once when there is none."""
        if self.state is not State.OPEN or self._connection is None:
            raise BrokerUnavailable(self.reason)
        return self._connection

    async def wait_open(self) -> None:
        while self.state is not State.OPEN:
            if self.state is State.CLOSED:
                raise BrokerUnavailable(self.reason)
            await self._steady.wait()

    def doubt(self, reason: str, *, missing: bool = False) -> None:
        """Something went wrong here: refuse callers until a thorough look was good.

        Where something was `missing`, what is found may be just made, by whomever.
        """
        self._doubted = True
        if missing:
            self._distrust()
        if self.state is State.OPEN:
            self._move(State.SUSPECT, reason)
        self._wake.set()

    def wake(self, *, thorough: bool = False) -> None:
        """Look now; callers go on meanwhile."""
        self._doubted |= thorough
        self._wake.set()

    async def close(self) -> None:
        self._move(State.CLOSED, "The broker connection was closed.")
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _run(self) -> NoReturn:
        while True:
            self._move(State.CONNECTING, self.reason)
            try:
                async with opened(self._url, name=self._name) as connection:
                    await self._attend(connection)
            except BrokerUnavailable as exc:
                self._move(State.CONNECTING, str(exc))
            await asyncio.sleep(self._pause)
            self._pause = min(self._pause * 2, RECONNECT_MAX)

    async def _attend(self, connection: AbstractConnection) -> None:
        """Look, tend, rest, until the connection is lost."""

        def on_lost(_: object, __: BaseException | None) -> None:
            if self._connection is connection:
                self._connection = None
                self._move(State.CONNECTING, LOST)
                self._wake.set()

        connection.close_callbacks.add(on_lost)
        self._connection = connection
        self._move(State.PROBING, self.reason)
        try:
            while self._connection is connection:
                self._wake.clear()
                await self._look(connection)
                await self._rest()
        finally:
            self._connection = None

    async def _look(self, connection: AbstractConnection) -> None:
        thorough, self._doubted = self._doubted, False
        try:
            await _expect_unblocked(connection)
            depths = await look(connection, self._topology, thorough=thorough)
            await self._mender.bind(connection)
        except Blocked as exc:
            self._doubted |= thorough
            self._move(State.SUSPECT, str(exc))
        except Damaged as exc:
            self._doubted = True
            self._move(State.SUSPECT, str(exc))
            self._move(State.SUSPECT, await self._mender.mend(connection, exc) or FRESH)
            self._distrust()
        except Leaderless as exc:
            self._doubted = True
            self._move(State.SUSPECT, str(exc))
            await self._mender.give_up(exc)
            raise
        except BrokerUnavailable:
            self._doubted |= thorough
            raise
        else:
            if thorough:
                self._mender.led()
            await self._accept(connection, depths)

    async def _accept(self, connection: AbstractConnection, depths: Mapping[str, Depth]) -> None:
        if self._connection is not connection or self._doubted:
            return
        if asyncio.get_running_loop().time() < self._settled_at:
            self._move(State.SUSPECT, FRESH)
            return
        self._pause = RECONNECT_FIRST
        self._move(State.OPEN, "")
        try:
            await self._tend(connection, depths)
        except BrokerUnavailable:
            self._doubted = True
            raise

    def _distrust(self) -> None:
        self._settled_at = asyncio.get_running_loop().time() + SETTLE

    async def _rest(self) -> None:
        await asyncio.sleep(BREATH)
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_EVERY if self.state is State.OPEN else RETRY_EVERY):
                await self._wake.wait()

    def _move(self, state: State, reason: str) -> None:
        if self.state is State.CLOSED or (state, reason) == (self.state, self.reason):
            return
        changed, self.state, self.reason = state is not self.state, state, reason
        log.info("broker_link", link=self._name, state=state, reason=reason)
        if changed:
            telemetry.BROKER_TRANSITIONS.labels(self._name, state).inc()
        if self._name == "publish":
            telemetry.BROKER_STATE.set(state is State.OPEN)
        if state in {State.OPEN, State.CLOSED}:
            self._steady.set()
        else:
            self._steady.clear()

    def _revive(self, task: "asyncio.Task[NoReturn]") -> None:
        """Judge by "is it alive", not by "did it raise": nothing may end this loop but `close`."""
        if self.state is State.CLOSED:
            return
        failure = None if task.cancelled() else task.exception()
        log.error("broker_link_died", link=self._name, failure=repr(failure))
        self._move(State.CONNECTING, "The broker connection is being started again.")
        asyncio.get_running_loop().call_later(RETRY_EVERY, self.start)


async def _expect_unblocked(connection: AbstractConnection) -> None:
    transport = connection.transport
    if transport is None:
        raise BrokerUnavailable(LOST)
    try:
        await answered(transport.ready(), doing="waiting for RabbitMQ to take messages")
    except BrokerUnavailable as exc:
        if connection.connected.is_set() and exc.__cause__ is None:
            raise Blocked("RabbitMQ holds back all publishers: memory or disk alarm.") from exc
        raise
