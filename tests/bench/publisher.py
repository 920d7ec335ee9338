"""Baseline (b): bare aiormq publishes one message an event, persistent, each with its confirm."""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import aiormq
import uvloop
from aiormq.abc import AbstractChannel
from pamqp import commands

from service.broker import wire
from service.store.ids import new_id

PERSISTENT = commands.Basic.Properties(delivery_mode=2, content_type="application/json")


async def publish(
    channel: AbstractChannel, bodies: Iterator[bytes], words: argparse.Namespace
) -> None:
    """One of those that take turns: the next message goes out once this one is confirmed."""
    for body in bodies:
        confirmed = await channel.basic_publish(
            body,
            exchange=words.exchange,
            routing_key=words.queue,
            properties=PERSISTENT,
            mandatory=True,
        )
        assert isinstance(confirmed, commands.Basic.Ack), confirmed


async def run(words: argparse.Namespace) -> None:
    connection = await aiormq.connect(words.url)
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
    now = datetime.now(UTC)
    bodies = iter([wire.encode([new_id()], now) for _ in range(words.count)])
    began, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(publish(channel, bodies, words) for _ in range(words.at_once)))
    said = {"seconds": time.perf_counter() - began, "cpu": time.process_time() - cpu}
    sys.stdout.write(json.dumps(said) + "\n")
    await connection.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--exchange", required=True)
    parser.add_argument("--queue", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--at-once", type=int, default=64)
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
