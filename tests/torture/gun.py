"""HTTP as cheap as it gets: signed requests go out over kept connections, statuses come back."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

PATIENCE = 3.0
"""Seconds a sender waits for an answer; most real ones hang up sooner than ten."""
MOST_IDLE = 10.0
"""Seconds a sender keeps an unused connection; the server keeps it for longer."""

Silence = Literal["refused", "unknown"]
"""Without an answer: nothing can have been accepted, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One exchange as the sender saw it."""

    status: int | Silence
    duplicate: bool
    ms: float
    body: bytes = b""

    @property
    def accepted(self) -> bool:
        return isinstance(self.status, int) and 200 <= self.status < 300


@dataclass(slots=True)
class Line:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used: float = 0.0
    """When it last carried an answer, by the monotonic clock."""

    @property
    def is_good(self) -> bool:
        closed = self.reader.at_eof() or self.writer.transport.is_closing()
        return not closed and time.monotonic() - self.used < MOST_IDLE


class Gun:
    """Connections are kept per address; one that failed is not used again."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[Line]] = defaultdict(list)

    async def fire(
        self, address: tuple[str, int], path: str, headers: Mapping[str, str], body: bytes
    ) -> Shot:
        began = time.monotonic()
        line: Line | None = None
        sent = False
        try:
            async with asyncio.timeout(PATIENCE):
                line = await self._line(address)
                sent = True
                line.writer.write(_request(address, path, headers, body))
                status, answered, content, keep = await _response(line.reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError, EOFError):
            if line is not None:
                line.writer.transport.abort()
            return Shot("unknown" if sent else "refused", duplicate=False, ms=_since(began))
        if keep:
            line.used = time.monotonic()
            self._idle[address].append(line)
        else:
            line.writer.close()
        duplicate = answered.get("orderhook-duplicate") == "true"
        return Shot(status, duplicate=duplicate, ms=_since(began), body=content)

    def forget(self, address: tuple[str, int]) -> None:
        for line in self._idle.pop(address, []):
            line.writer.transport.abort()

    def close(self) -> None:
        for address in list(self._idle):
            self.forget(address)

    async def _line(self, address: tuple[str, int]) -> Line:
        """One that is open still, else a new one."""
        idle = self._idle[address]
        while idle:
            line = idle.pop()
            if line.is_good:
                return line
            line.writer.transport.abort()
        reader, writer = await asyncio.open_connection(*address)
        return Line(reader, writer)


def _request(address: tuple[str, int], path: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"POST {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def _response(
    reader: asyncio.StreamReader,
) -> tuple[int, dict[str, str], bytes, bool]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    status = int(head[0].split(" ", 2)[1])
    pairs = (line.partition(":") for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return status, headers, body, headers.get("connection", "").lower() != "close"


def _since(began: float) -> float:
    return (time.monotonic() - began) * 1000


async def settle(*tasks: "asyncio.Task[None]") -> None:
    """Cancel and wait."""
    for task in tasks:
        task.cancel()
    with suppress(asyncio.CancelledError):
        await asyncio.gather(*tasks, return_exceptions=True)
