"""The bounds of a request: how long, how large, how many at once; what exceeds them is refused."""

import asyncio
import re
import resource
from dataclasses import dataclass, field

from aiohttp import web

from service import telemetry
from service.settings import Server
from service.web.problems import Refused, unavailable

KIB = 1024
MIB = 1024 * KIB
SLOWEST_BYTES_PER_SECOND = 16 * KIB
LENGTH = re.compile(r"[0-9]{1,15}")

TOO_SLOW = "The body did not arrive in time; send the whole request at once."
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
            raise unavailable(OVERLOADED)

    def take(self, size: int) -> None:
        self.admit(size)
        self.used += size
        telemetry.BODY_BYTES.inc(size)

    def give_back(self, size: int) -> None:
        self.used -= size
        telemetry.BODY_BYTES.dec(size)


def body_seconds(size: int, limits: Limits) -> float:
    return min(limits.body_seconds, limits.body_grace_seconds + size / SLOWEST_BYTES_PER_SECOND)


def content_length(request: web.BaseRequest, *, limit: int) -> int:
    """The announced length of a body this listener would read; judged before a byte is read."""
    announced = request.headers.get("Content-Length", "")
    if not LENGTH.fullmatch(announced):
        raise Refused(411, NO_LENGTH, close=True)
    if int(announced) > limit:
        raise Refused(413, f"The body is larger than the {limit} bytes accepted here.", close=True)
    return int(announced)


async def read(
    request: web.BaseRequest, into: bytearray, *, length: int, budget: Budget, limits: Limits
) -> None:
    """Fill `into` with the body; whoever calls gives `len(into)` back to the budget, always."""
    try:
        async with asyncio.timeout(body_seconds(length, limits)):
            while chunk := await request.content.readany():
                budget.take(len(chunk))
                into += chunk
    except TimeoutError:
        raise Refused(408, TOO_SLOW, close=True) from None
    except (web.RequestPayloadError, ConnectionError):
        raise Refused(400, "The connection ended before the body did.", close=True) from None
