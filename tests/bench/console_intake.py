"""Webhooks at half of what a gateway can take, in turns without and with people who click.

Requests are sent when their time has come, whether or not earlier ones were answered, and timed
from then: what waits in a queue has waited. A turn begins once nothing is counted any more for
people who have left. In the place of a worker a statement now and then decides what came in: what
nobody decides would be counted anew by every look at the ledger.
"""

import asyncio
import contextlib
import gc
import json
import os
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import psutil

from service.ops.kept import LOOKS_LAST
from service.store import pool
from service.store.ids import new_id
from service.store.pool import Pool
from tests.bench.console_people import PEOPLE
from tests.bench.console_site import Gateway, heard, signed

CONNECTIONS = 48
FLAT_OUT = 4000
"""Requests by which the most that it can take is found."""
CALM = LOOKS_LAST + 5
DECIDED_EVERY = 0.25
DECIDE = """
WITH taken AS (DELETE FROM outbox RETURNING event_id)
INSERT INTO event_outcomes (event_id, outcome, reason)
SELECT event_id, 'ignored', 'Nothing is folded here.' FROM taken
ON CONFLICT DO NOTHING
"""
WANTED = 1.2
"""Times what it was: how much later the slowest hundredth may be answered while people look."""


@dataclass(frozen=True)
class Turn:
    rate: float
    p50: float
    p99: float
    worst: float
    gateway: float
    """Cores that it took, of its own process."""
    postgres: float
    clicks: int = 0
    parts: int = 0
    page_p50: float = 0.0
    page_p95: float = 0.0


@dataclass(frozen=True)
class Pair:
    alone: Turn
    clicked: Turn
    thinks: float
    """Seconds that the people stayed on a page, in the mean."""
    ratio: float = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "ratio", self.clicked.p99 / self.alone.p99)


@asynccontextmanager
async def undisturbed() -> AsyncIterator[None]:
    """Our own search for garbage would be measured as theirs."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


class Sender:
    """Connections that are kept open for a turn, and requests that are all different."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._place = place.hostname, place.port
        self._idle: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )
        self._name, self._numbers = new_id().hex, count()

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[None]:
        for _ in range(CONNECTIONS):
            self._idle.put_nowait(await asyncio.open_connection(*self._place))
        try:
            yield
        finally:
            while not self._idle.empty():
                self._idle.get_nowait()[1].close()

    def made(self, many: int) -> list[bytes]:
        return [signed(f"{self._name}-{next(self._numbers)}") for _ in range(many)]

    async def flat_out(self) -> float:
        """Requests a second while every connection asks for the next one at once."""
        requests = iter(self.made(FLAT_OUT))
        async with self._connected():
            began = time.perf_counter()
            await asyncio.gather(*(self._one_after_the_other(requests) for _ in range(CONNECTIONS)))
            return FLAT_OUT / (time.perf_counter() - began)

    async def _one_after_the_other(self, requests: Iterator[bytes]) -> None:
        for request in requests:
            await self._send(request)

    async def steadily(self, rate: float, seconds: float) -> list[float]:
        """Milliseconds from the moment a request was due to its answer."""
        requests = self.made(int(rate * seconds))
        async with self._connected(), undisturbed():
            began, tasks = time.perf_counter() + 0.1, []
            for number, request in enumerate(requests):
                due = began + number / rate
                if (wait := due - time.perf_counter()) > 0:
                    await asyncio.sleep(wait)
                tasks.append(asyncio.create_task(self._timed(request, due)))
            return sorted(await asyncio.gather(*tasks))

    async def _timed(self, request: bytes, due: float) -> float:
        await self._send(request)
        return (time.perf_counter() - due) * 1000

    async def _send(self, request: bytes) -> None:
        reader, writer = await self._idle.get()
        try:
            writer.write(request)
            status, headers = await heard(reader)
            assert status == 202, (status, await reader.read(300))
            await reader.readexactly(int(headers["content-length"]))
        finally:
            self._idle.put_nowait((reader, writer))


@asynccontextmanager
async def deciding(db: Pool) -> AsyncIterator[None]:
    """Nothing stays undecided for long."""

    async def decide() -> None:
        while True:
            async with pool.session(db) as connection:
                await connection.execute(DECIDE)
            await asyncio.sleep(DECIDED_EVERY)

    task = asyncio.create_task(decide())
    try:
        yield
    finally:
        assert not task.done(), task
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def people(gate: Gateway) -> AsyncIterator[Process]:
    """A process of their own, so that they do not slow down who measures."""
    words = (sys.executable, "-m", "tests.bench.console_people")
    process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    links = [gate.link(f"person-{number}") for number in range(PEOPLE)]
    await _told(process, json.dumps({"base": gate.internal, "links": links}))
    assert await process.stdout.readline() == b"ready\n"
    try:
        yield process
    finally:
        process.stdin.close()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        await process.wait()


async def compared(
    gate: Gateway,
    looked_at: Gateway,
    db: Pool,
    *,
    pairs: int,
    seconds: float,
    thinks: Sequence[float],
    rate: float | None = None,
) -> Sequence[Pair]:
    """People look at the gateway that accepts, or at a console on the same database."""
    sender = Sender(gate.public or "")
    async with deciding(db), people(looked_at) as walking:
        _elsewhere()
        await sender.flat_out()  # the first ones warm up
        most = statistics.median([await sender.flat_out() for _ in range(3)])
        sent = rate or most / 2
        print(f"flat out {most:.0f} requests/s; {sent:.0f} are sent")
        found: list[Pair] = []
        for thought in [*thinks] * pairs:
            await asyncio.sleep(CALM if found else 1)
            alone = await _turn(gate, sender, rate=sent, seconds=seconds)
            await _told(walking, f"{thought}")
            await asyncio.sleep(2 + thought)  # until they are all under way
            clicked = await _turn(gate, sender, rate=sent, seconds=seconds)
            found.append(Pair(alone, replace(clicked, **await _rested(walking)), thought))
            print(f"{thought:g} s on a page: ratio {found[-1].ratio:.2f}", flush=True)
        return found


def _elsewhere() -> None:
    """Senders have machines of their own: what they wait for must not be a core of this one."""
    with contextlib.suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, -10)


async def _told(walking: Process, line: str) -> None:
    assert walking.stdin is not None
    walking.stdin.write(f"{line}\n".encode())
    await walking.stdin.drain()


async def _rested(walking: Process) -> dict[str, Any]:
    """What they say of their walk."""
    assert walking.stdout is not None
    await _told(walking, "rest")
    said: dict[str, Any] = json.loads(await walking.stdout.readline())
    assert not said.pop("broken"), said
    return said


async def _turn(gate: Gateway, sender: Sender, *, rate: float, seconds: float) -> Turn:
    before, began = _spent(gate), time.perf_counter()
    took = await sender.steadily(rate, seconds)
    lasted = time.perf_counter() - began
    gateway, postgres = (
        (after - was) / lasted for was, after in zip(before, _spent(gate), strict=True)
    )
    middle, high = took[len(took) // 2], took[int(len(took) * 0.99)]
    return Turn(rate, middle, high, took[-1], gateway, postgres)


def _spent(gate: Gateway) -> tuple[float, float]:
    """Seconds of CPU of the gateway, and of all of PostgreSQL that lives now."""
    ours = [psutil.Process(gate.pid)]
    children = psutil.Process().children(recursive=True)
    return _sum(ours), _sum(each for each in children if each.name() == "postgres")


def _sum(processes: Iterable[psutil.Process]) -> float:
    """With those that have ended since and were theirs."""
    return sum(sum(each.cpu_times()[:4]) for each in processes)
