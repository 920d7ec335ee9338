"""A CRM that takes any callback at once and counts it: what stands at the end of both roads.

A process of its own. `GET /count` tells how many calls came; `GET /arrivals` when the first call
about each subject did, by the clock that all processes of a machine share.
"""

import argparse
import asyncio
import time
from pathlib import Path

import orjson
import uvloop
from aiohttp import web

from tests.bench import ready


class Receiver:
    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._calls = 0
        self._arrivals: dict[str, float] = {}

    async def take(self, request: web.Request) -> web.Response:
        at = time.monotonic()
        said = orjson.loads(await request.read())["data"]
        self._calls += 1
        self._arrivals.setdefault(said["subject"], at)
        if self._delay:
            await asyncio.sleep(self._delay)
        return web.Response(status=200)

    async def count(self, _: web.Request) -> web.Response:
        return web.json_response({"calls": self._calls, "subjects": len(self._arrivals)})

    async def arrivals(self, _: web.Request) -> web.Response:
        return web.Response(body=orjson.dumps(self._arrivals), content_type="application/json")


async def serve(file: Path, delay: float) -> None:
    receiver, app = Receiver(delay), web.Application()
    app.router.add_post("/callback", receiver.take)
    app.router.add_get("/count", receiver.count)
    app.router.add_get("/arrivals", receiver.arrivals)
    await ready.serve(app, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds a call takes")
    words = parser.parse_args()
    uvloop.run(serve(words.ready_file, words.delay))


if __name__ == "__main__":
    main()
