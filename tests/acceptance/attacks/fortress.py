"""A gateway to be attacked: a real process, what it stored, how late and how large it became."""

import asyncio
import hashlib
import hmac
import os
import re
import socket
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil

from tests import reception, servers
from tests.acceptance.stage import Stage

MIB = 1024 * 1024
MEMORY = 32 * MIB
"""How much larger the process may become while it is attacked."""
LAG = 0.5
"""Seconds it may be late for a reason of its own: waiting for a core of a busy machine is none."""
SECRET = b"the-secret-of-the-attacked"
CONFIG = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{folder}/data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
[auth]
jwt_secret = "plain:a secret of the attacked, long enough for its hash"

[sources.shop]
provider = "generic"
durability = "strict"
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
verify = {{ scheme = "hmac", header = "X-Signature" }}
status = "state"
attributes = {{ note = "note" }}
[sources.shop.statuses]
NEW = "fulfillment.new"

[sources.timed]
provider = "generic"
durability = "strict"
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
attributes = {{ note = "note" }}
[sources.timed.verify]
scheme = "hmac"
header = "X-Signature"
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"

[sources.xml]
provider = "generic"
durability = "strict"
format = "xml"
secrets = ["plain:{secret}"]
key = "event.id"
subject = {{ ref = "event.order" }}
attributes = {{ note = "event.note" }}
verify = {{ scheme = "hmac", header = "X-Signature" }}

[sources.form]
provider = "generic"
durability = "strict"
format = "form"
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
attributes = {{ note = "note" }}
verify = {{ scheme = "hmac", header = "X-Signature" }}

[sources.wide]
provider = "generic"
durability = "strict"
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
attributes = {{ note = "note" }}
chunked = true
max_body = "1MiB"
verify = {{ scheme = "hmac", header = "X-Signature" }}

[sources.other]
provider = "generic"
durability = "strict"
secrets = ["plain:the secret of another tenant"]
key = "id"
subject = {{ ref = "order" }}
attributes = {{ note = "note" }}
verify = {{ scheme = "hmac", header = "X-Signature" }}

[sources.token]
provider = "generic"
durability = "strict"
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
attributes = {{ note = "note" }}
verify = {{ scheme = "bearer" }}

[sources.stripe]
provider = "stripe"
durability = "strict"
secrets = ["plain:{secret}"]

[sources.standard]
provider = "standardwebhooks"
durability = "strict"
secrets = ["plain:whsec_b3JkZXJob29rLWFjY2VwdGFuY2UtdGVzdHM="]
subject = {{ ref = "order" }}
statuses = {{ "order.paid" = "payment.paid" }}

[sources.sns]
provider = "amazonsns"
durability = "strict"
subject = {{ ref = "order" }}
options = {{ topics = ["arn:aws:sns:eu-central-1:123456789012:orders"] }}
statuses = {{ "order.paid" = "payment.paid" }}
"""
KEYED = """
[sources.{name}]
provider = "saleor"
durability = "strict"
options = {{ domain = "shop.example.com" }}
api = "http://127.0.0.1:{port}/{name}"
"""
KEY_SERVERS = ("rotating", "flooding", "dripping", "leading", "lying")
"""Sources whose keys are fetched from a server of the attacker."""
STORED = """
    SELECT (SELECT count(*) FROM requests) AS requests,
           (SELECT count(*) FROM events) AS events,
           (SELECT count(*) FROM events WHERE fate = 'unreadable') AS unreadable,
           (SELECT count(*) FROM outbox) AS owed
"""
LEAKS = re.compile(rb"Traceback|File \"|aiohttp|asyncpg|Python/|/service/|site-packages")


@dataclass(frozen=True, slots=True)
class Rows:
    """How much there is in the database."""

    requests: int
    events: int
    unreadable: int
    owed: int

    def __sub__(self, other: "Rows") -> "Rows":
        return Rows(
            self.requests - other.requests,
            self.events - other.events,
            self.unreadable - other.unreadable,
            self.owed - other.owed,
        )


NOTHING = Rows(0, 0, 0, 0)
QUARANTINED = Rows(requests=1, events=1, unreadable=1, owed=1)
READ = Rows(requests=1, events=1, unreadable=0, owed=1)


@dataclass(slots=True)
class Watch:
    """The worst that was seen of the process during an attack."""

    grown: int = 0
    late: float = 0.0


@dataclass(slots=True)
class Fortress:
    """A running gateway with its configuration, its database and its log."""

    stage: Stage
    url: str
    pid: int
    key_port: int
    """Where the servers of KEY_SERVERS are looked for."""
    watches: list[Watch] = field(default_factory=list)

    async def rows(self) -> Rows:
        connection = await asyncpg.connect(self.stage.store)
        try:
            found = await connection.fetchrow(STORED)
        finally:
            await connection.close()
        assert found is not None
        return Rows(**dict(found))

    async def say(self, *parts: bytes, within: float = 8.0) -> list[reception.Answer]:
        desk = reception.Reception(self.url, reception.Desk())
        raw = await desk.hear(*parts, within=within)
        assert not LEAKS.search(raw), raw[:500]
        return reception.parse(raw)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        return await asyncio.open_connection(parts.hostname, parts.port)

    def tracebacks(self) -> list[str]:
        return [line for line in self.stage.programs["gateway"].output.splitlines() if _bad(line)]

    @asynccontextmanager
    async def watched(self, every: float = 0.02) -> AsyncIterator[Watch]:
        """Look at the process from outside while it is attacked."""
        process, watch = psutil.Process(self.pid), Watch()
        self.watches.append(watch)
        before = process.memory_info().rss
        looking = asyncio.create_task(self._look(watch, process, before, every))
        try:
            yield watch
        finally:
            looking.cancel()
            with suppress(asyncio.CancelledError):
                await looking
            watch.grown = max(watch.grown, process.memory_info().rss - before)

    async def _look(self, watch: Watch, process: psutil.Process, before: int, every: float) -> None:
        reader, writer = await self.connect()
        try:
            while True:
                began = time.monotonic() - self._kept_waiting()
                writer.write(b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n")
                await reader.readuntil(b"}")
                watch.late = max(watch.late, time.monotonic() - self._kept_waiting() - began)
                watch.grown = max(watch.grown, process.memory_info().rss - before)
                await asyncio.sleep(every)
        finally:
            writer.close()

    def _kept_waiting(self) -> float:
        """Seconds that the gateway and we were ready to run and had no core, as Linux counts."""
        told = [Path(f"/proc/{pid}/schedstat").read_text() for pid in (self.pid, os.getpid())]
        return sum(int(line.split()[1]) for line in told) / 1e9

    def figures(self) -> str:
        """What all attacks together cost, for people."""
        late = sorted(watch.late for watch in self.watches) or [0.0]
        grown = max((watch.grown for watch in self.watches), default=0) / MIB
        median, most = late[len(late) // 2] * 1000, late[-1] * 1000
        delay = f"{median:.1f} ms late in the median, {most:.1f} ms at most"
        return f"{len(self.watches)} attacks: {delay}; {grown:.1f} MiB more at most"


def _bad(line: str) -> bool:
    return "Traceback" in line or '"request_crashed"' in line or "Unhandled exception" in line


@contextmanager
def standing(folder: Path, postgres: servers.Postgres, template: str) -> Iterator[Fortress]:
    """Start a gateway of its own; RabbitMQ is away, which must not matter."""
    name = f"attacked_{time.time_ns()}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    stage = Stage(folder, postgres.database(name), "amqp://127.0.0.1:9/", "attacked")
    port = _free_port()
    keyed = "".join(KEYED.format(name=name, port=port) for name in KEY_SERVERS)
    stage.config.write_text(CONFIG.format(folder=folder, secret=SECRET.decode()) + keyed)
    try:
        asyncio.run(stage.open("gateway"))
        yield Fortress(stage, stage.public, int(stage.gateway["pid"]), port)
    finally:
        stage.close()
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        port: int = asked.getsockname()[1]
        return port


def sign(body: bytes, *, key: bytes = SECRET) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


def request(
    body: bytes = b"{}",
    *headers: str,
    path: str = "/webhooks/shop",
    signature: str | None = None,
    length: int | None = None,
    method: str = "POST",
) -> bytes:
    """Write a request on the wire, genuine unless it is told otherwise."""
    lines: Iterable[str] = (
        f"{method} {path} HTTP/1.1",
        "Host: hooks.example.com",
        f"Content-Length: {len(body) if length is None else length}",
        f"X-Signature: {sign(body) if signature is None else signature}",
        *headers,
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode("latin-1") + body


def signed(stamp: str, body: bytes) -> bytes:
    """Write a request to the source that signs a time as well."""
    proof = sign(stamp.encode("utf-8", "surrogateescape") + b"." + body)
    return request(body, f"X-Timestamp: {stamp}", path="/webhooks/timed", signature=proof)
