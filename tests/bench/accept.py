"""What durable acceptance costs beside a bare handler, measured in turns in the same run.

A: aiohttp on uvloop that reads the body and answers 202. B: `orderhook run all` with the embedded
PostgreSQL (fsync on) and the embedded broker: verify, commit, answer, and fold behind it. Both are
asked by the same client with unique signed requests. The figures to quote are the ratios; the
client runs on the same machine and in Python, so that requests per second of A are a lower bound.
"""

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import HmacRule, Secret, Source, SubjectRule

REQUESTS = 4000
CONNECTIONS = 32
PAIRS = 5
KEY = "a key of the benchmark"
CONFIG = f"""
[server]
sandbox = true
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "data"
[store]
url = "embedded"
[broker]
url = "embedded"
[sources.shop]
provider = "generic"
verify = {{ scheme = "hmac", header = "X-Signature" }}
secrets = ["plain:{KEY}"]
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "status"
statuses = {{ PAID = "payment.paid" }}
"""
SOURCE = Source(
    name="shop",
    provider="generic",
    secrets=(Secret.plain(KEY),),
    verify=HmacRule(header="X-Signature"),
    key="id",
    subject=SubjectRule(ref="order"),
    occurred_at="at",
    status="status",
    statuses={"PAID": "payment.paid"},
)
BARE = """
import asyncio, sys, uvloop
from aiohttp import web

async def take(request):
    await request.read()
    return web.Response(status=202, body=b'{"events":1}', content_type="application/json")

async def main():
    app = web.Application()
    app.router.add_post("/webhooks/shop", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
    await asyncio.Event().wait()

uvloop.run(main())
"""


@dataclass(frozen=True)
class Run:
    """One turn of one server."""

    per_second: float
    cpu_micros: float
    """Of the server's own process, for each request; PostgreSQL's processes are not in it."""


@contextlib.contextmanager
def program(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(40)


@contextlib.asynccontextmanager
async def servers(folder: Path) -> AsyncIterator[tuple[tuple[str, int], tuple[str, int]]]:
    """The (url, pid) of the bare handler and of Orderhook."""
    (folder / "orderhook.toml").write_text(CONFIG)
    ready = folder / "ready"
    ours = [sys.executable, "-m", "service", "run", "all", "--ready-file", str(ready)]
    with (
        program([sys.executable, "-c", BARE], folder) as bare,
        program(ours, folder) as orderhook,
    ):
        assert bare.stdout is not None
        url = bare.stdout.readline().strip()
        async with asyncio.timeout(60):
            while not ready.exists():
                assert orderhook.poll() is None, (folder / "log").read_text()
                await asyncio.sleep(0.1)
        found = json.loads(ready.read_bytes())
        yield (url, bare.pid), (found["public"], found["pid"])


def signed(numbers: Iterable[int]) -> list[bytes]:
    """Whole HTTP requests, made before the clock starts."""
    now = datetime.now(UTC)
    made = []
    for number in numbers:
        occasion = Occasion(order=f"B-{number}", at=now, key=f"bench-{number}")
        request = senders.sign(SOURCE, senders.sample(SOURCE, "payment.paid", occasion), at=now)
        body = request.body + b" " * (1024 - len(request.body))
        request = senders.sign(SOURCE, body, at=now)
        fields = {**request.headers, "Host": "bench", "Content-Length": str(len(body))}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        made.append(f"POST /webhooks/shop HTTP/1.1\r\n{head}\r\n".encode() + body)
    return made


async def ask(url: str, requests: Iterator[bytes]) -> None:
    """One connection: request, answer, request, answer."""
    place = urlsplit(url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 202"), head
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
        await reader.readexactly(length)
    writer.close()


async def measure(url: str, pid: int, requests: list[bytes]) -> Run:
    server, left = psutil.Process(pid), iter(requests)
    used, began = _cpu(server), time.perf_counter()
    async with asyncio.timeout(120):
        await asyncio.gather(*(ask(url, left) for _ in range(CONNECTIONS)))
    seconds = time.perf_counter() - began
    return Run(len(requests) / seconds, (_cpu(server) - used) / len(requests) * 1e6)


def _cpu(process: psutil.Process) -> float:
    spent = process.cpu_times()
    return float(spent.user + spent.system)


def report(bare: list[Run], ours: list[Run]) -> None:
    rates = [b.per_second / a.per_second for a, b in zip(bare, ours, strict=True)]
    costs = [b.cpu_micros / a.cpu_micros for a, b in zip(bare, ours, strict=True)]
    for name, runs in (("bare handler", bare), ("orderhook", ours)):
        rate = statistics.median(run.per_second for run in runs)
        cpu = statistics.median(run.cpu_micros for run in runs)
        print(f"{name:13} {rate:8,.0f} requests/s {cpu:8,.0f} µs of its CPU a request")
    for name, ratios in (("requests/s", rates), ("CPU", costs)):
        print(
            f"{name:10} orderhook / bare: median {statistics.median(ratios):.2f}"
            f" (min {min(ratios):.2f}, max {max(ratios):.2f}, {len(ratios)} pairs)"
        )


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orderhook-bench-") as folder:
        async with servers(Path(folder)) as (bare, ours):
            runs: tuple[list[Run], list[Run]] = ([], [])
            for turn in range(PAIRS + 1):
                requests = signed(range(turn * REQUESTS, (turn + 1) * REQUESTS))
                pair = [await measure(*bare, requests), await measure(*ours, requests)]
                if turn:  # the first pair warms up
                    runs[0].append(pair[0])
                    runs[1].append(pair[1])
            report(*runs)


if __name__ == "__main__":
    asyncio.run(main())
