"""A small server of a benchmark: an application in, its address in a file once it listens."""

import asyncio
import json
import os
from pathlib import Path

from aiohttp import web


async def serve(app: web.Application, ready: Path) -> None:
    """Listen on a free port until the process ends."""
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    tell(ready, f"http://127.0.0.1:{runner.addresses[0][1]}")
    await asyncio.Event().wait()


def tell(ready: Path, url: str) -> None:
    """Whoever sees the file can read all of it."""
    draft = ready.with_suffix(".draft")
    draft.write_text(json.dumps({"public": url, "pid": os.getpid()}))
    draft.rename(ready)
