"""A TCP proxy between a role and what it depends on: bytes in, the same bytes out, or bad weather.

A process of its own, `python -m tests.torture.proxy --ready-file F --link NAME=TARGET …`; control
lines of JSON come over a loopback port, one answer each.
"""

import asyncio
import json
import random
import signal
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import click

from tests.torture import weather
from tests.torture.weather import CLEAR, Way, Weather

MOST_HELD = 4 * 1024 * 1024
"""Bytes one connection may hold back before its peer feels it."""


@dataclass(slots=True)
class Link:
    """One listening port and where it leads: `host:port`, or the path of a Unix socket."""

    name: str
    target: str
    port: int = 0
    sky: Weather = CLEAR
    pairs: set["Pair"] = field(default_factory=set)
    _server: asyncio.Server | None = None

    async def open(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Pair(self).client, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self.cut()
        if self._server is not None:
            self._server.close()

    def change(self, sky: Weather) -> None:
        self.sky = sky
        for pair in list(self.pairs):
            pair.up.passed = pair.down.passed = 0
            pair.up.go()
            pair.down.go()

    def cut(self) -> None:
        for pair in list(self.pairs):
            pair.abort()

    def half_close(self) -> None:
        """End what the servers say, while the clients may go on talking."""
        for pair in list(self.pairs):
            transport = pair.client.transport
            if transport is not None and not transport.is_closing():
                transport.write_eof()


class Pair:
    """One connection: a client, a server, and the two ways between them."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.client = Side(self, came=self._came)
        self.server = Side(self)
        self.up = Road(self, "up", of=self.client, to=self.server)
        self.down = Road(self, "down", of=self.server, to=self.client)
        self.client.road, self.server.road = self.up, self.down
        self._connecting: asyncio.Task[None] | None = None

    def _came(self) -> None:
        self.link.pairs.add(self)
        sky = self.link.sky
        if sky.answer and self.client.transport is not None:
            self.client.transport.write(sky.answer.encode("latin-1"))
            self.client.transport.close()
        elif sky.refuse:
            self.abort()
        else:
            self._connecting = asyncio.create_task(self._connect())

    async def _connect(self) -> None:
        loop = asyncio.get_running_loop()
        target = self.link.target
        try:
            if target.startswith("/"):
                await loop.create_unix_connection(lambda: self.server, target)
            else:
                host, _, port = target.rpartition(":")
                await loop.create_connection(lambda: self.server, host, int(port))
        except OSError:
            self.abort()
        else:
            self.up.go()

    def abort(self) -> None:
        self.link.pairs.discard(self)
        for side in (self.client, self.server):
            if side.transport is not None:
                side.transport.abort()
        for road in (self.up, self.down):
            road.end()


class Side(asyncio.Protocol):
    def __init__(self, pair: Pair, came: Callable[[], None] = lambda: None) -> None:
        self.transport: asyncio.Transport | None = None
        self.road: Road
        self._pair = pair
        self._came = came

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._came()

    def data_received(self, data: bytes) -> None:
        self.road.take(data)

    def eof_received(self) -> bool:
        self.road.take(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is not None or self is self._pair.client:
            self._pair.abort()


class Road:
    """One way: what comes is passed on at once while the sky is clear, else in a queue."""

    def __init__(self, pair: Pair, way: Way, *, of: Side, to: Side) -> None:
        self._pair, self._way, self._of, self._to = pair, way, of, to
        self._queue: deque[bytes | None] = deque()
        self._held = 0
        self._walk: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()
        self.passed = 0

    def take(self, data: bytes | None) -> None:
        if not self._queue and self._walk is None and self._is_free():
            self._give(data)
            return
        self._queue.append(data)
        self._held += len(data or b"")
        if self._held > MOST_HELD and self._of.transport is not None:
            self._of.transport.pause_reading()
        self.go()

    def go(self) -> None:
        self._changed.set()
        if self._queue and self._walk is None and self._to.transport is not None:
            self._walk = asyncio.create_task(self._walked())

    def end(self) -> None:
        self._queue.clear()
        self._changed.set()

    def _is_free(self) -> bool:
        return self._pair.link.sky.clear and self._to.transport is not None

    async def _walked(self) -> None:
        try:
            while self._queue:
                sky = self._pair.link.sky
                if self._way in sky.hold:
                    self._changed.clear()
                    await self._changed.wait()
                    continue  # the sky, or the connection, is another one now
                data = self._queue.popleft()
                self._held -= len(data or b"")
                if self._held <= MOST_HELD // 2 and self._of.transport is not None:
                    self._of.transport.resume_reading()
                await self._send(data, sky)
        finally:
            self._walk = None

    async def _send(self, data: bytes | None, sky: Weather) -> None:
        if data is None or self._way in sky.drop:
            if data is None:
                self._give(None)
            return
        if sky.delay or sky.jitter:
            await asyncio.sleep(sky.delay + random.random() * sky.jitter)
        most = (sky.reset_after or sky.truncate_after) if self._way == "down" else 0
        if most and self.passed + len(data) > most:
            self._give(data[: max(0, most - self.passed)])
            if sky.truncate_after and self._to.transport is not None:
                self._to.transport.close()
            else:
                self._pair.abort()
            return
        self.passed += len(data)
        if not sky.drip:
            self._give(data)
            return
        for start in range(0, len(data), max(1, sky.drip // 10)):
            self._give(data[start : start + max(1, sky.drip // 10)])
            await asyncio.sleep(0.1 if sky.drip >= 10 else 1 / sky.drip)

    def _give(self, data: bytes | None) -> None:
        transport = self._to.transport
        if transport is None or transport.is_closing():
            return
        if data is not None:
            transport.write(data)
        elif transport.can_write_eof():
            transport.write_eof()


async def obey(
    links: dict[str, Link], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while line := await reader.readline():
        said = json.loads(line)
        link = links[said["link"]]
        act(link, said)
        writer.write(json.dumps({"connections": len(link.pairs)}).encode() + b"\n")
        await writer.drain()
    writer.close()


def act(link: Link, said: dict[str, Any]) -> None:
    if "target" in said:
        link.target = said["target"]
    if "weather" in said:
        link.change(weather.read(said["weather"]))
    if said.get("half_close"):
        link.half_close()
    if said.get("cut"):
        link.cut()


async def serve(links: list[Link], ready: Path) -> None:
    for link in links:
        await link.open()
    named = {link.name: link for link in links}
    control = await asyncio.start_server(lambda r, w: obey(named, r, w), "127.0.0.1", 0)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    said = {
        "control": control.sockets[0].getsockname()[1],
        "links": {link.name: link.port for link in links},
    }
    draft = ready.with_suffix(".draft")
    draft.write_text(json.dumps(said))
    draft.rename(ready)
    await stop.wait()


@dataclass(slots=True)
class Control:
    """The harness's end of the control line."""

    port: int

    async def say(self, link: str, **words: object) -> int:
        """Change one link; how many connections go over it."""
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            writer.write(json.dumps({"link": link, **words}).encode() + b"\n")
            answer = json.loads(await reader.readline())
            writer.close()
        return int(answer["connections"])


@click.command()
@click.option("--ready-file", type=click.Path(path_type=Path), required=True)
@click.option("--link", "links", multiple=True, help="NAME=HOST:PORT or NAME=/path/of/a/socket")
def main(ready_file: Path, links: tuple[str, ...]) -> None:
    made = [Link(name, target) for name, _, target in (each.partition("=") for each in links)]
    asyncio.run(serve(made, ready_file))


if __name__ == "__main__":
    main()
