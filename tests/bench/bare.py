"""Baseline (a): aiohttp on uvloop reads the body and answers 202; nothing is kept."""

import argparse
import asyncio
import json
import os
from pathlib import Path

import uvloop
from aiohttp import web

ANSWER = b'{"events":1}'


async def take(request: web.Request) -> web.Response:
    await request.read()
    return web.Response(status=202, body=ANSWER, content_type="application/json")


async def serve(ready: Path) -> None:
    app = web.Application()
    app.router.add_post("/webhooks/{source}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    draft = ready.with_suffix(".draft")
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    draft.write_text(json.dumps({"public": url, "pid": os.getpid()}))
    draft.rename(ready)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready-file", type=Path, required=True)
    uvloop.run(serve(parser.parse_args().ready_file))


if __name__ == "__main__":
    main()
