"""The queue of an installation as a benchmark needs it: emptied, counted, used by a bare client."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aio_pika
from aio_pika.abc import AbstractQueue

from service.broker.topology import Topology

TOPOLOGY = Topology()


@dataclass(frozen=True, slots=True)
class Spent:
    """What a bare client says of itself."""

    seconds: float
    cpu: float


@asynccontextmanager
async def queue(url: str) -> AsyncIterator[AbstractQueue]:
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        yield await channel.declare_queue(TOPOLOGY.work, passive=True)


async def empty(url: str) -> None:
    async with queue(url) as work:
        await work.purge()


async def waiting(url: str) -> int:
    """Messages that are ready."""
    async with queue(url) as work:
        return int(work.declaration_result.message_count or 0)


async def publish(url: str, count: int) -> Spent:
    """The bare publisher puts so many messages of one event into the queue."""
    exchange, name = TOPOLOGY.exchange, TOPOLOGY.work
    words = ["--exchange", exchange, "--queue", name, "--count", str(count)]
    return await _client("tests.bench.publisher", url, *words)


async def consume(url: str, count: int) -> Spent:
    """The bare consumer takes so many."""
    return await _client(
        "tests.bench.consumer", url, "--queue", TOPOLOGY.work, "--count", str(count)
    )


async def _client(module: str, url: str, *words: str) -> Spent:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, url, *words), stdout=PIPE
    )
    said, _ = await process.communicate()
    assert process.returncode == 0, f"{module} ended with {process.returncode}"
    return Spent(**json.loads(said))
