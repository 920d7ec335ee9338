"""One simulated CRM as a program: orders `o0`, `o1` … in its book, its counters on a port beside.

python -m tests.simulator '{"name": …, "orders": …, "port": 0, "rate": 0, "token": ""}'

Port 0 is any; rate 0 is the vendor's usual one, where it can be chosen; no token is a new one.
"""

import asyncio
import json
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import uvloop
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Dialect, running
from service.sandbox.dialects.bitrix24 import WEBHOOK, Bitrix24
from service.sandbox.dialects.hubspot import HubSpot
from service.sandbox.dialects.meters import Leaky
from service.sandbox.dialects.registry import DIALECTS

KEPT = 4
"""What is left in a bucket that is said to be full: our own line keeps a little, too."""


@dataclass(frozen=True, slots=True)
class Wish:
    name: str
    orders: int
    port: int
    rate: float
    token: str


def made(wish: Wish) -> Dialect:
    dialect = next(each for each in DIALECTS if each.name == wish.name)()
    if isinstance(dialect, HubSpot) and wish.token:
        dialect.token = wish.token
    if isinstance(dialect, Bitrix24):
        dialect.takes = 0.0  # what is measured are its requests
        dialect.meters["requests"] = Leaky(rate=wish.rate or 2, size=50)
    for number in range(wish.orders):
        dialect.seed(f"o{number}")
    return dialect


def table(dialect: Dialect, url: str) -> dict[str, JsonValue]:
    said = dict(dialect.destination(url))
    if isinstance(dialect, Bitrix24):
        del said["oauth"]
        said["token"] = f"plain:{WEBHOOK}"
    return said


def counting(dialect: Dialect) -> web.Application:
    async def count(_: web.Request) -> web.Response:
        meters = dialect.meters.items()
        return web.json_response(
            {
                "at": time.monotonic(),
                "used": {name: meter.used for name, meter in meters},
                "refused": {name: meter.refused for name, meter in meters},
                "calls": len(dialect.calls),
                "writes": dialect.book.writes,
            }
        )

    async def calls(_: web.Request) -> web.Response:
        return web.json_response({"calls": dialect.calls})

    async def fill(_: web.Request) -> web.Response:
        """The bucket is as full as after a long time of work."""
        for meter in dialect.meters.values():
            if isinstance(meter, Leaky):
                meter.take(meter.size - KEPT, at=time.monotonic())
                meter.used = 0.0
        return web.json_response({})

    app = web.Application()
    ways = (("/count", count), ("/calls", calls), ("/fill", fill))
    app.add_routes([web.get(path, handler) for path, handler in ways])
    return app


async def main(wish: Wish) -> None:
    dialect = made(wish)
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running(dialect, port=wish.port))
        runner = web.AppRunner(counting(dialect), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        control = f"http://127.0.0.1:{runner.addresses[0][1]}"
        sys.stdout.write(json.dumps({"control": control, "table": table(dialect, url)}) + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(Wish(**json.loads(sys.argv[1]))))
