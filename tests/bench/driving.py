"""A whole road under a driver: as much as it carries without a growing queue, or a steady rate.

`Road` is one side of a comparison: an address to post to, a CRM that counts at the end, and a way
to tell how many events are still on their way. The driver goes faster while few are, and slower
while many are; what came through meanwhile is what the road sustains.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.bench import cpu, load
from tests.bench.installation import Installation, Running

ROLES = ("gateway", "relay", "worker")
FEW, MANY = 800, 2400
"""Events on their way, between which the rate is right."""
FASTER, SLOWER = 1.06, 0.88
LOOK = 0.5
FIRST = 200.0
PATIENCE = aiohttp.ClientTimeout(total=20)
OWED = """
SELECT (SELECT count(*) FROM outbox) + (SELECT count(*) FROM syncs WHERE due_at IS NOT NULL)
"""
NOT_THROUGH = """
SELECT state, min(error) AS error, count(*) FROM syncs WHERE state <> 'synced' GROUP BY state
UNION ALL
SELECT kind, min(summary), count(*) FROM dead_letters GROUP BY kind
"""


@dataclass(frozen=True, slots=True)
class Road:
    name: str
    public: str
    calls: Callable[[], Awaitable[int]]
    """How often the CRM was ever called."""
    roots: Callable[[], Mapping[str, int]]
    """The pids it consists of now, by what they are called in a table."""
    left: Callable[[int], Awaitable[int]]
    """How many are on their way, of so many that were ever answered."""
    check: Callable[[], Awaitable[None]]
    """Fails when something did not come through, though nothing is on its way any more."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """What came through in some seconds."""

    events: int
    seconds: float
    begun: int
    """Events on their way at the beginning."""
    ended: int
    cpu: dict[str, float]
    """Seconds of CPU of each process."""
    calls: int
    """Of the CRM."""

    @property
    def rate(self) -> float:
        return self.events / self.seconds

    @property
    def grew(self) -> bool:
        """Whether the queue was much longer at the end: then it was not sustained."""
        return self.ended > max(2 * MANY, 2 * self.begun)


async def count(crm: Running) -> int:
    """Calls that came."""
    return int((await _ask(crm, "count"))["calls"])


async def arrivals(crm: Running) -> dict[str, float]:
    """When the first call about each subject came, by the monotonic clock."""
    said: dict[str, float] = await _ask(crm, "arrivals")
    return said


async def _ask(crm: Running, path: str) -> Any:
    async with (
        aiohttp.ClientSession(timeout=PATIENCE) as session,
        session.get(f"{crm.public}/{path}") as answer,
    ):
        return await answer.json()


class Drive:
    """One driver on one road."""

    def __init__(self, process: Process, road: Road, before: int) -> None:
        self._process = process
        self._road = road
        self._before = before
        self._said: dict[str, Any] = {"sent": 0, "answered": 0, "failed": {}, "first_due": 0.0}

    @property
    def answered(self) -> int:
        assert not self._said["failed"], self._said["failed"]
        return int(self._said["answered"])

    @property
    def first_due(self) -> float:
        return float(self._said["first_due"])

    async def listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            self._said = json.loads(line)

    def go(self, rate: float) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{rate}\n".encode())

    async def left(self) -> int:
        """On their way: not answered yet, or not through."""
        waiting = int(self._said["sent"]) - self.answered
        return waiting + await self._accepted()

    async def _accepted(self) -> int:
        """On their way after their answer."""
        return await self._road.left(self._before + self.answered)

    async def through(self, within: float = 120.0) -> None:
        """Rest until everything came through."""
        self.go(0)
        await asyncio.sleep(3 * LOOK)
        deadline = time.monotonic() + within
        while left := await self.left():
            assert time.monotonic() < deadline, f"{self._road.name} keeps {left} events"
            await asyncio.sleep(LOOK)
        await self._road.check()

    async def flat_out(self, *, warm: float, seconds: float, rate: float = FIRST) -> Stretch:
        """As much as it sustains, in the second part of the time."""
        rate = await self._steer(rate, warm)
        return await self._stretch(lambda: self._steer(rate, seconds))

    async def steadily(self, rate: float, seconds: float) -> Stretch:
        self.go(rate)
        return await self._stretch(lambda: asyncio.sleep(seconds))

    async def _steer(self, rate: float, seconds: float) -> float:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.go(rate)
            await asyncio.sleep(LOOK)
            left = await self.left()
            rate *= FASTER if left < FEW else SLOWER if left > MANY else 1
        return rate

    async def _stretch(self, work: Callable[[], Awaitable[object]]) -> Stretch:
        meter, began = cpu.Meter(self._road.roots()), time.monotonic()
        answered, left, calls = await self._now()
        await work()
        again, ended, called = await self._now()
        seconds, used = time.monotonic() - began, meter.used()
        events = again - answered - (ended - left)
        return Stretch(events, seconds, left, ended, used, called - calls)

    async def _now(self) -> tuple[int, int, int]:
        return self.answered, await self._accepted(), await self._road.calls()


@asynccontextmanager
async def driving(
    road: Road, name: str, *, active: int = load.ACTIVE, numbered: int | None = None
) -> AsyncIterator[Drive]:
    """`numbered`: orders are called `o` and a number from there on, as simulated CRMs have them."""
    words = ["-m", "tests.bench.driver", road.public, "--name", name, "--active", str(active)]
    words += [] if numbered is None else ["--numbered", str(numbered)]
    before = await road.calls()
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdin=PIPE, stdout=PIPE)
    drive = Drive(process, road, before)
    listening = asyncio.create_task(drive.listen())
    try:
        yield drive
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
        await listening


async def ours(made: Installation, *, delay: float = 0.0) -> Road:
    """Every role of Orderhook as a process of its own, and one CRM that is called back."""
    crm = await made.program("crm", "tests.bench.receiver", "--delay", str(delay))
    made.configure(crm=f"{crm.public}/callback")
    return await standing(made, lambda: count(crm), {"crm": crm.pid})


async def standing(
    made: Installation, calls: Callable[[], Awaitable[int]], others: Mapping[str, int]
) -> Road:
    """Every role started with the configuration that is there."""
    for role in ROLES:
        await made.run(role)

    def roots() -> dict[str, int]:
        return {name: made.roles[name].pid for name in ROLES} | made.servers | dict(others)

    async def left(_: int) -> int:
        async with made.session() as connection:
            return int(await connection.fetchval(OWED, timeout=20))

    async def check() -> None:
        async with made.session() as connection:
            lost = await connection.fetch(NOT_THROUGH, timeout=60)
        assert not lost, [dict(row) for row in lost]

    return Road("orderhook", made.roles["gateway"].public, calls, roots, left, check)


async def naive(made: Installation, *, delay: float = 0.0) -> Road:
    """Baseline (d): the pipeline of a day's work, over the same RabbitMQ."""
    crm = await made.program("naive-crm", "tests.bench.receiver", "--delay", str(delay))
    words = ("--amqp", made.amqp, "--crm", crm.public)
    gateway = await made.program("naive-gateway", "tests.bench.naive", "gateway", *words)
    worker = await made.program("naive-worker", "tests.bench.naive", "worker", *words)

    def roots() -> dict[str, int]:
        ours = {"gateway": gateway.pid, "worker": worker.pid, "crm": crm.pid}
        return {**ours, "rabbitmq": made.servers["rabbitmq"]}

    async def left(answered: int) -> int:
        return max(0, answered - await count(crm))

    return Road("naive pipeline", gateway.public, lambda: count(crm), roots, left, _nothing)


async def _nothing() -> None:
    """What the naive pipeline lost it does not know; its calls were counted."""
