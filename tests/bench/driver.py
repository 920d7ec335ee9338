"""Sends webhooks at a rate that can be changed while it runs; a line a quarter second says how far.

A process of its own: rates come as lines on stdin, 0 rests, its end stops. Each request is made,
signed and sent when it is due, and no two are the same.
"""

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Iterator

import uvloop

from tests.bench import load
from tests.bench.load import Webhook
from tests.bench.steady import CONNECTIONS, TICK, Sender

EVERY = 0.25
ENDLESS = 10**9


class Driver:
    def __init__(self, sender: Sender, requests: Iterator[Webhook]) -> None:
        self._sender = sender
        self._requests = requests
        self._rate = 0.0
        self._changed = asyncio.Event()
        self.first_due = 0.0

    def adopt(self, rate: float) -> None:
        self._rate = rate
        self._changed.set()

    async def run(self) -> None:
        due = time.monotonic()
        while True:
            if not self._rate:
                self._changed.clear()
                await self._changed.wait()
                due = time.monotonic()
                continue
            due += 1 / self._rate
            self.first_due = self.first_due or due
            request = next(self._requests).http()
            while (wait := due - time.monotonic()) > TICK:
                await asyncio.sleep(wait)
            self._sender.fire(request, due)
            if self._sender.sent % 16 == 0:
                await asyncio.sleep(0)

    async def tell(self) -> None:
        while True:
            sender = self._sender
            said = {
                "sent": sender.sent,
                "answered": len(sender.took),
                "failed": sender.failed,
                "first_due": self.first_due,
            }
            sys.stdout.write(json.dumps(said) + "\n")
            sys.stdout.flush()
            await asyncio.sleep(EVERY)


async def listen(driver: Driver) -> None:
    """Until stdin ends."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        driver.adopt(float(line))


async def run(words: argparse.Namespace) -> None:
    sender = Sender()
    await sender.open(words.url, CONNECTIONS)
    requests = load.webhooks(words.name, ENDLESS, active=words.active, numbered=words.numbered)
    driver = Driver(sender, requests)
    tasks = [asyncio.create_task(driver.run()), asyncio.create_task(driver.tell())]
    await listen(driver)
    for task in tasks:
        task.cancel()
    sender.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--name", required=True)
    parser.add_argument("--active", type=int, default=load.ACTIVE)
    parser.add_argument("--numbered", type=int, help="orders are o and a number from here on")
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
