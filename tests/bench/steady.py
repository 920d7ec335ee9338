"""Requests at the moments they are due, whether or not earlier ones were answered; or N at once.

A process of its own (`python -m tests.bench.steady`), so that it disturbs nothing it measures. A
request is timed from the moment it was due: what waits for a connection has waited.
"""

import argparse
import asyncio
import gc
import json
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast
from urllib.parse import urlsplit

import uvloop

from tests.bench import load

CONNECTIONS = 64
PATIENCE = 30.0
TICK = 0.0005


class Line(asyncio.Protocol):
    """One kept connection: a request is written, its answer is told to who waits for it."""

    def __init__(self, sender: "Sender") -> None:
        self._sender = sender
        self._due = 0.0
        self._seen = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self._sender.free(self)

    def send(self, request: bytes, due: float) -> None:
        assert self._transport is not None
        self._due, self._seen = due, b""
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        status = whole(self._seen)
        if status:
            self._sender.answered(self, status, self._due)

    def connection_lost(self, exc: Exception | None) -> None:
        self._sender.lost(self)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


def whole(seen: bytes) -> int:
    """The status of an answer that is there to its last byte; 0 while it is not."""
    head, ended, body = seen.partition(b"\r\n\r\n")
    if not ended:
        return 0
    length = head.lower().partition(b"\r\ncontent-length:")[2].partition(b"\r\n")[0]
    return int(head[9:12]) if len(body) >= int(length or 0) else 0


@dataclass
class Sender:
    """Sends what is due on whatever connection is free."""

    took: list[float] = field(default_factory=list)
    """Milliseconds from the due moment to the answer."""
    failed: dict[str, int] = field(default_factory=dict)
    sent: int = 0
    _idle: deque[Line] = field(default_factory=deque)
    _waiting: deque[tuple[bytes, float]] = field(default_factory=deque)
    _more: Iterator[bytes] = field(default_factory=lambda: iter(()))
    """What a free connection sends without being told."""
    _closing: bool = False
    _all: asyncio.Event = field(default_factory=asyncio.Event)

    async def open(self, url: str, connections: int) -> None:
        place = urlsplit(url)
        host, port = place.hostname or "", place.port or 0
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            await loop.create_connection(lambda: Line(self), host, port)

    def begin(self, requests: Iterator[bytes]) -> None:
        self._more = requests
        for _ in range(len(self._idle)):
            self.free(self._idle.popleft())

    def fire(self, request: bytes, due: float) -> None:
        self.sent += 1
        if self._idle:
            self._idle.popleft().send(request, due)
        else:
            self._waiting.append((request, due))

    def answered(self, line: Line, status: int, due: float) -> None:
        self.took.append((time.perf_counter() - due) * 1000)
        if status != 202:
            self.failed[str(status)] = self.failed.get(str(status), 0) + 1
        self.free(line)

    def free(self, line: Line) -> None:
        if self._waiting:
            line.send(*self._waiting.popleft())
        elif (request := next(self._more, None)) is not None:
            self.sent += 1
            line.send(request, time.perf_counter())
        else:
            self._idle.append(line)
        if len(self.took) == self.sent:
            self._all.set()

    def lost(self, line: Line) -> None:
        """It was not we who closed it: what it carried, if anything, has no answer."""
        if line in self._idle:
            self._idle.remove(line)
        elif not self._closing:
            self.failed["lost"] = self.failed.get("lost", 0) + 1

    async def ended(self) -> None:
        """Until everything that was sent has its answer, as long as answers come."""
        self._all.clear()
        while (answered := len(self.took)) < self.sent:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE):
                    await self._all.wait()
            assert len(self.took) > answered, f"{self.sent - answered} have no answer"

    def close(self) -> None:
        self._closing = True
        for line in self._idle:
            line.close()


async def steadily(sender: Sender, requests: Iterator[bytes], rate: float) -> float:
    """Evenly at that rate; returns for how long it sent."""
    began = time.perf_counter() + 0.05
    number = 0
    for number, request in enumerate(requests):
        due = began + number / rate
        while (wait := due - time.perf_counter()) > TICK:
            await asyncio.sleep(wait)
        sender.fire(request, due)
        if number % 16 == 0:
            await asyncio.sleep(0)
    await sender.ended()
    return number / rate


async def at_once(sender: Sender, requests: Iterator[bytes]) -> float:
    """Each connection asks for the next one as soon as it has its answer; returns how long."""
    began = time.perf_counter()
    sender.begin(requests)
    await sender.ended()
    return time.perf_counter() - began


async def run(words: argparse.Namespace) -> None:
    sender = Sender()
    await sender.open(words.url, words.connections)
    requests = load.read(words.file)
    gc.collect()
    gc.disable()
    cpu = time.process_time()
    if words.rate:
        seconds = await steadily(sender, requests, words.rate)
    else:
        seconds = await at_once(sender, requests)
    cpu = time.process_time() - cpu
    sender.close()
    took = sorted(sender.took)
    said = {
        "requests": sender.sent,
        "seconds": seconds,
        "cpu": cpu,
        "failed": sender.failed,
        "p50": took[len(took) // 2],
        "p99": took[int(len(took) * 0.99)],
        "worst": took[-1],
    }
    sys.stdout.write(json.dumps(said) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=float, default=0.0, help="0: as fast as it is answered")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
