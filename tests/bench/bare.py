"""Baseline (a): aiohttp on uvloop reads the body and answers 202; nothing is kept."""

import argparse
from pathlib import Path

import uvloop
from aiohttp import web

from tests.bench import ready

ANSWER = b'{"events":1}'


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202, body=ANSWER, content_type="application/json")


async def serve(file: Path) -> None:
    app = web.Application()
    app.router.add_post("/webhooks/{source}", take)
    await ready.serve(app, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    uvloop.run(serve(parser.parse_args().ready_file))


if __name__ == "__main__":
    main()
