"""A public listener with a small intake of its own, and raw sockets to talk to it."""

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from ipaddress import ip_network
from pathlib import Path
from urllib.parse import urlsplit

from service.intake.admission import Bounds
from service.intake.provider import RawRequest, Reply
from service.settings import Address, Server
from service.web.limits import Limits
from service.web.listeners import listening
from service.web.public import public_app

KEY = b"a key of the desk"
MAX_BODY = 1000
QUICK = Limits(idle_seconds=0.5, body_seconds=0.5, body_grace_seconds=0.4, lingering_seconds=0.2)


def sign(body: bytes) -> str:
    """Sign as the one sender the desk knows."""
    return hmac.new(KEY, body, hashlib.sha256).hexdigest()


@dataclass
class Desk:
    """An intake that knows the source `shop`, keeps what it accepts in a list, and can fail."""

    taken: list[RawRequest] = field(default_factory=list)
    failure: Exception | None = None
    allowed: Bounds = field(default_factory=lambda: Bounds(MAX_BODY))

    def bounds(self, _source: str, /) -> Bounds:
        return self.allowed

    async def receive(self, source: str, request: RawRequest, /) -> Reply:
        if self.failure is not None:
            raise self.failure
        if request.method != "POST":
            return Reply(405, b'{"status":405}', {"Allow": "POST"})
        if source != "shop" or request.header("x-signature") != sign(request.body):
            return Reply(401, b'{"status":401}', {"Content-Type": "application/problem+json"})
        self.taken.append(request)
        return Reply(202, b'{"events":1}', {"Content-Type": "application/json"})


@dataclass(frozen=True)
class Answer:
    """One HTTP response as it was on the wire."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> dict[str, str | int]:
        assert self.headers["content-type"] == "application/problem+json"
        said: dict[str, str | int] = json.loads(self.body)
        return said


@dataclass(frozen=True)
class Reception:
    """A running listener and the desk behind it."""

    url: str
    desk: Desk

    async def say(self, *parts: bytes, within: float = 5.0) -> list[Answer]:
        """Send bytes on one connection and read until the server closes it or falls silent."""
        raw = await self.hear(*parts, within=within)
        return parse(raw)

    async def hear(self, *parts: bytes, within: float = 5.0, hang_up: bool = False) -> bytes:
        reader, writer = await self.connect()
        heard = bytearray()
        # Who is refused early hears so while still sending.
        hearing = asyncio.create_task(_hear(reader, heard))
        with suppress(TimeoutError, ConnectionError):
            async with asyncio.timeout(within):
                with suppress(ConnectionError):
                    await _tell(writer, parts, hang_up=hang_up)
                await hearing
        hearing.cancel()
        writer.close()
        return bytes(heard)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        assert parts.hostname is not None
        return await asyncio.open_connection(parts.hostname, parts.port)


async def _hear(reader: asyncio.StreamReader, into: bytearray) -> None:
    while chunk := await reader.read(65536):
        into += chunk


async def _tell(writer: asyncio.StreamWriter, parts: Iterable[bytes], *, hang_up: bool) -> None:
    for part in parts:
        writer.write(part)
        await writer.drain()
        await asyncio.sleep(0)  # so that an early answer is heard
    if hang_up:
        writer.write_eof()


@asynccontextmanager
async def opened(
    desk: Desk | None = None, *, bounds: Limits = QUICK, proxies: tuple[str, ...] = ()
) -> AsyncIterator[Reception]:
    desk = desk or Desk()
    server = Server(data_dir=Path("unused"), trusted_proxies=tuple(map(ip_network, proxies)))
    app = public_app(desk, server, lambda: datetime.now(UTC), bounds=bounds)
    async with listening(app, Address("127.0.0.1", 0), name="public") as url:
        yield Reception(url, desk)


async def eventually(ask: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until the answer is yes."""
    async with asyncio.timeout(5):
        while True:
            if await ask():
                return
            await asyncio.sleep(0.01)


def post(
    body: bytes = b"{}",
    *headers: str,
    path: str = "/webhooks/shop",
    signature: str | None = None,
    length: int | None = None,
) -> bytes:
    """Write a genuine request on the wire, ended by `Connection: close`."""
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: hooks.example.com",
        f"Content-Length: {len(body) if length is None else length}",
        f"X-Signature: {sign(body) if signature is None else signature}",
        *headers,
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def parse(raw: bytes) -> list[Answer]:
    """Read every response of a connection; interim ones count as well."""
    answers = []
    while raw:
        head, _, raw = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)
        }
        size = int(headers.get("content-length", "0"))
        answers.append(Answer(int(first.split(" ")[1]), headers, raw[:size]))
        raw = raw[size:]
    return answers
