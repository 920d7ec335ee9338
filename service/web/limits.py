"""The bounds of a request: how long, how large, how many at once; what exceeds them is refused."""

import asyncio
import re
import resource
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from aiohttp import HttpVersion11, web

from service import telemetry
from service.settings import Server
from service.web.problems import Refused, unavailable

Shed = Literal["bytes", "connections", "lag", "source"]

KIB = 1024
MIB = 1024 * KIB
SLOWEST_BYTES_PER_SECOND = 16 * KIB
LENGTH = re.compile(r"[0-9]{1,15}")

TOO_SLOW = "The body did not arrive in time; send the whole request at once."
TOO_LARGE = "The body is larger than the {} bytes accepted here."
NO_LENGTH = "Send the body with a Content-Length and without a Transfer-Encoding."
OVERLOADED = "Too many requests are being received right now; try again later."


def _connections() -> int:
    """Half of the file descriptors: the other half is for the database, the broker and files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return min(10_000, files // 2) if files != resource.RLIM_INFINITY else 10_000


@dataclass(frozen=True, slots=True)
class Limits:
    """What one listener grants; the seconds are wall time of one connection or request."""

    connections: int = field(default_factory=_connections)
    idle_seconds: float = 15.0
    """Also the time in which a request's headers must be complete."""
    body_seconds: float = 5.0
    body_grace_seconds: float = 1.0
    lingering_seconds: float = 1.0
    """How long what a refused client still sends is read and thrown away."""
    stop_seconds: float = 20.0
    line_bytes: int = 4096
    field_bytes: int = 4096
    fields: int = 64
    bodies_in_memory: int = 64 * MIB
    lag_seconds: float = 0.2
    """An event loop later than this is overloaded: webhooks are put off before they are read."""
    unread_seconds: float = 20.0
    """How long a client may leave an answer unread that is too large for its socket."""

    @property
    def connections_of_one_peer(self) -> int:
        return max(1, self.connections // 2)

    @classmethod
    def of(cls, server: Server) -> "Limits":
        """Behind a proxy it must be the proxy, at about a minute, that closes idle connections."""
        return cls(idle_seconds=75.0) if server.trusted_proxies else cls()


class Budget:
    """How many bytes of bodies may be in memory at once, counted as they arrive."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0

    def admit(self, size: int) -> None:
        """Refuse early what would not fit now; bytes that may never come reserve nothing."""
        if self.used + size > self.limit:
            raise overloaded("bytes")

    def take(self, size: int) -> None:
        self.admit(size)
        self.used += size
        telemetry.BODY_BYTES.inc(size)

    def give_back(self, size: int) -> None:
        self.used -= size
        telemetry.BODY_BYTES.dec(size)


class Places:
    """How many requests of one source are judged and stored at a time."""

    def __init__(self) -> None:
        self._taken: Counter[str] = Counter()

    def of(self, source: str, most: int) -> "Place":
        """Hold a place; only what has been read takes one, so nobody can sit on it."""
        return Place(self._taken, source, most)


@dataclass(slots=True)
class Place:
    """One of the places of a source, while a block lasts."""

    taken: Counter[str]
    source: str
    most: int

    def __enter__(self) -> None:
        if self.taken[self.source] >= self.most:
            raise overloaded("source")
        self.taken[self.source] += 1

    def __exit__(self, *_: object) -> None:
        self.taken[self.source] -= 1
        if not self.taken[self.source]:
            del self.taken[self.source]


def overloaded(reason: Shed) -> Refused:
    """Put a request off because of a bound that is reached now."""
    telemetry.HTTP_SHED.labels(reason).inc()
    return unavailable(OVERLOADED)


def body_seconds(size: int, limits: Limits) -> float:
    return min(limits.body_seconds, limits.body_grace_seconds + size / SLOWEST_BYTES_PER_SECOND)


def content_length(request: web.BaseRequest, *, limit: int) -> int:
    """The announced length of a body this listener would read; judged before a byte is read."""
    announced = request.headers.get("Content-Length", "")
    if not LENGTH.fullmatch(announced):
        raise Refused(411, NO_LENGTH, close=True)
    if int(announced) > limit:
        raise Refused(413, TOO_LARGE.format(limit), close=True)
    return int(announced)


def invite(request: web.BaseRequest) -> None:
    """Ask for the body of a client that waits for that (RFC 9110, section 10.1.1)."""
    wanted = request.headers.get("Expect", "").lower() == "100-continue"
    if wanted and request.version == HttpVersion11 and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


async def read(
    request: web.BaseRequest, into: bytearray, *, most: int, budget: Budget, limits: Limits
) -> None:
    """Fill `into` with the body; whoever calls gives `len(into)` back to the budget, always."""
    content = request.content
    try:
        if content.is_eof():  # it came together with the head, as most do
            _keep(content.read_nowait(), into, most=most, budget=budget)
            return
        async with asyncio.timeout(body_seconds(most, limits)):
            while chunk := await content.readany():
                _keep(chunk, into, most=most, budget=budget)
    except TimeoutError:
        raise Refused(408, TOO_SLOW, close=True) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refused(400, "The connection ended before the body did.", close=True) from None


def _keep(chunk: bytes, into: bytearray, *, most: int, budget: Budget) -> None:
    if len(into) + len(chunk) > most:
        raise Refused(413, TOO_LARGE.format(most), close=True)
    budget.take(len(chunk))
    into += chunk
