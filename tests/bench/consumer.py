"""Baseline (c): a bare aio-pika consumer acknowledges each message and does nothing with it."""

import argparse
import asyncio
import json
import sys
import time

import aio_pika
import uvloop
from aio_pika.abc import AbstractIncomingMessage

PREFETCH = 400
"""As many events as a fold takes at a time."""


class Consumer:
    """Counts from the first message to the last."""

    def __init__(self, count: int) -> None:
        self._left = count
        self._began = 0.0
        self._cpu = 0.0
        self.over: asyncio.Future[tuple[float, float]] = asyncio.get_running_loop().create_future()

    async def take(self, message: AbstractIncomingMessage) -> None:
        if not self._began:
            self._began, self._cpu = time.perf_counter(), time.process_time()
        await message.ack()
        self._left -= 1
        if not self._left:
            spent = time.process_time() - self._cpu
            self.over.set_result((time.perf_counter() - self._began, spent))


async def run(words: argparse.Namespace) -> None:
    connection = await aio_pika.connect(words.url)
    channel = await connection.channel(publisher_confirms=False)
    await channel.set_qos(PREFETCH)
    queue = await channel.get_queue(words.queue, ensure=False)
    consumer = Consumer(words.count)
    await queue.consume(consumer.take)
    seconds, cpu = await consumer.over
    sys.stdout.write(json.dumps({"seconds": seconds, "cpu": cpu}) + "\n")
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--queue", required=True)
    parser.add_argument("--count", type=int, required=True)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
