"""A gateway of its own over that database, and visitors who speak plain HTTP to its console."""

import asyncio
import contextlib
import json
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

from service.app.process import Role
from service.cli.token import link
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Auth, Secret, Server
from service.web.console.viewers import COOKIE
from tests.bench.shop import KEY, SOURCE, program

SECRET = "a key of thirty-two bytes or more"
SOURCES = ("shop", "psp", "wms", "cdek")
CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "gateway"
sandbox = true
[store]
url = "{dsn}"
[broker]
url = "amqp://127.0.0.1:9/"
[auth]
jwt_secret = "plain:{secret}"
{sources}
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9/"
secret = "plain:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[routes]]
destinations = ["crm"]
[sources.desk]
provider = "generic"
mode = "capture"
"""
SENDER = """
[sources.{name}]
provider = "generic"
durability = "strict"
verify = {{ scheme = "hmac", header = "X-Signature" }}
secrets = ["plain:{key}"]
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "status"
statuses = {{ PAID = "payment.paid" }}
"""


@dataclass(frozen=True)
class Gateway:
    """One, or with the role `console` what people look at instead."""

    public: str | None
    internal: str
    pid: int

    def link(self, name: str) -> str:
        """A link that signs in once, as an admin, who may see every page."""
        server = Server(data_dir=Path(), internal_url=self.internal)
        auth = Auth(jwt_secret=Secret.plain(SECRET))
        return link(server, auth, role="admin", subject=name, ttl=timedelta(minutes=10))


@asynccontextmanager
async def gateway(dsn: str, folder: Path, *, role: Role = "gateway") -> AsyncIterator[Gateway]:
    """Without a broker: accepted is what is durable, and no worker folds it here."""
    folder.mkdir(exist_ok=True)
    sources = "".join(SENDER.format(name=name, key=KEY) for name in SOURCES)
    (folder / "orderhook.toml").write_text(CONFIG.format(dsn=dsn, secret=SECRET, sources=sources))
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    words = [sys.executable, "-m", "service", "run", role, "--ready-file", str(ready)]
    with program(words, folder) as process:
        async with asyncio.timeout(60):
            while not ready.exists():
                assert process.poll() is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        found = json.loads(ready.read_bytes())
        yield Gateway(found["public"], found["internal"], found["pid"])


def signed(key: str, *, size: int = 1024) -> bytes:
    """A whole HTTP request, made before the clock starts."""
    now = datetime.now(UTC)
    occasion = Occasion(order=f"N-{key}", at=now, key=f"bench-{key}")
    made = senders.sign(SOURCE, senders.sample(SOURCE, "payment.paid", occasion), at=now)
    body = made.body + b" " * (size - len(made.body))
    headers = senders.sign(SOURCE, body, at=now).headers
    fields = {**headers, "Host": "bench", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST /webhooks/shop HTTP/1.1\r\n{head}\r\n".encode() + body


@dataclass(frozen=True)
class Seen:
    status: int
    headers: Mapping[str, str]
    body: bytes
    ms: float


class Visitor:
    """One connection that is kept open, and a cookie."""

    def __init__(self, base: str, cookie: str = "") -> None:
        place = urlsplit(base)
        self._host, self._port = place.hostname, place.port
        self.cookie = cookie
        self._line: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def sign_in(self, address: str) -> None:
        token = parse_qs(urlsplit(address).query)["token"][0]
        seen = await self.ask("/console/sign-in", form={"token": token, "next": ""})
        assert seen.status == 303, (seen.status, seen.body)
        given = re.search(rf"{COOKIE}=[^;]+", seen.headers["set-cookie"])
        assert given is not None
        self.cookie = given[0]

    async def get(self, path: str, *, part: bool = False) -> Seen:
        """A page, followed to where it leads; with `part` what htmx would ask for."""
        seen = await self.ask(path, part=part)
        if seen.status == 303:
            further = await self.ask(seen.headers["location"])
            return Seen(further.status, further.headers, further.body, seen.ms + further.ms)
        return seen

    async def ask(
        self, path: str, *, form: Mapping[str, str] | None = None, part: bool = False
    ) -> Seen:
        body = urlencode(form).encode() if form else b""
        method = "POST" if form else "GET"
        fields = {"Host": f"{self._host}:{self._port}", "Cookie": self.cookie}
        if part:
            fields["HX-Request"] = "true"
        if form:
            fields["Content-Type"] = "application/x-www-form-urlencoded"
            fields["Content-Length"] = str(len(body))
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sent = f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body
        if self._line is None or self._line[0].at_eof():  # who thinks for long is hung up on
            self._line = await asyncio.open_connection(self._host, self._port)
        reader, writer = self._line
        began = time.perf_counter()
        writer.write(sent)
        status, headers = await heard(reader)
        received = await _body(reader, headers)
        ms = (time.perf_counter() - began) * 1000
        if headers.get("connection", "").lower() == "close":
            await self.leave()
        return Seen(status, headers, received, ms)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[asyncio.StreamReader]:
        """The live line of a page: a connection of its own."""
        reader, writer = await asyncio.open_connection(self._host, self._port)
        fields = f"Host: {self._host}:{self._port}\r\nCookie: {self.cookie}\r\n"
        writer.write(f"GET /console/live HTTP/1.1\r\n{fields}\r\n".encode())
        status, _ = await heard(reader)
        assert status == 200, status
        try:
            yield reader
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def leave(self) -> None:
        if self._line is not None:
            self._line[1].close()
            self._line = None


async def heard(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    fields = (line.partition(":") for line in lines)
    return int(first.split(" ")[1]), {name.lower(): value.strip() for name, _, value in fields}


async def _body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "chunked" not in headers.get("transfer-encoding", ""):
        return await reader.readexactly(int(headers.get("content-length", "0")))
    parts = []
    while size := int(await reader.readline(), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readline()
    return b"".join(parts)
