"""A CRM that writes every effect to a file before it answers, and misbehaves on demand.

A process of its own, so that it can be killed; what it did is in the file, and only there.
`python -m tests.torture.crm --secret S --effects FILE --ready-file F`.
"""

import asyncio
import hashlib
import json
import os
import random
import signal
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import click
import orjson
from aiohttp import web

from service.sandbox import signature

Mode = Literal["ok", "status", "hang", "drip", "cut", "garbage", "reset"]
MAX_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Mood:
    """How calls are treated; `share` of them, the others well."""

    mode: Mode = "ok"
    share: float = 1.0
    effect: bool = False
    """Do what is asked for, and misbehave afterwards."""
    status: int = 503
    retry_after: str = ""
    delay: float = 0.0


GOOD = Mood()


@dataclass(slots=True)
class Known:
    version: int
    status: str


class Book:
    """What is known, read again from the file at the start."""

    def __init__(self, path: Path) -> None:
        self._bodies: dict[str, str] = {}
        self._orders: dict[str, Known] = {}
        self._lines = 0
        if path.exists():
            self._read(path)
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def _read(self, path: Path) -> None:
        whole = path.read_bytes()
        path.write_bytes(whole[: whole.rfind(b"\n") + 1])  # a torn line was answered to nobody
        for line in whole.splitlines(keepends=True):
            if line.endswith(b"\n"):
                self._remember(orjson.loads(line))

    def _remember(self, call: dict[str, Any]) -> None:
        self._lines += 1
        if call["effect"] in {"applied", "stale"}:
            self._bodies[call["key"]] = call["digest"]
        if call["effect"] == "applied":
            self._orders[call["subject"]] = Known(call["version"], call["status"])

    def judge(self, key: str, digest: str, said: dict[str, Any]) -> str:
        """What this call would do, by the contract of a receiver."""
        if key in self._bodies:
            return "repeated" if self._bodies[key] == digest else "corrupt"
        known = self._orders.get(said["subject"])
        return "stale" if known is not None and said["version"] <= known.version else "applied"

    def write(self, call: dict[str, Any]) -> None:
        call = {"n": self._lines, "at": time.time(), **call}
        os.write(self._file, orjson.dumps(call) + b"\n")
        self._remember(call)


class Crm:
    def __init__(self, book: Book, *, secret: str) -> None:
        self.book = book
        self.mood = GOOD
        self._key = signature.signing_key(secret)

    async def callback(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        key = request.headers.get("Idempotency-Key", "")
        why = signature.refusal(request.headers, body, key=self._key, now=datetime.now(UTC))
        if why is not None:
            self.book.write({"key": key, "effect": "refused", "why": why})
            return web.Response(status=401)
        mood = self.mood if random.random() < self.mood.share else GOOD
        if mood.delay:
            await asyncio.sleep(mood.delay)
        said = orjson.loads(body)["data"]
        effect = self._do(said, key, body, mood)
        if mood.mode != "ok":
            return await misbehave(request, mood)
        return web.Response(status=422 if effect == "corrupt" else 200)

    def _do(self, said: dict[str, Any], key: str, body: bytes, mood: Mood) -> str:
        digest = hashlib.sha256(body).hexdigest()[:32]
        does = mood.mode == "ok" or mood.effect
        effect = self.book.judge(key, digest, said) if does else "none"
        self.book.write(
            {
                "key": key,
                "effect": effect,
                "mode": mood.mode,
                "digest": digest,
                **{name: said[name] for name in ("subject", "version", "status", "lanes")},
            }
        )
        return effect

    async def change(self, request: web.Request) -> web.Response:
        self.mood = Mood(**await request.json())
        return web.Response()


async def misbehave(request: web.Request, mood: Mood) -> web.StreamResponse:
    """Answer badly, for a bounded time."""
    transport = request.transport
    assert isinstance(transport, asyncio.Transport)
    match mood.mode:
        case "status":
            after = {"Retry-After": mood.retry_after} if mood.retry_after else {}
            return web.Response(status=mood.status, headers=after)
        case "hang":
            await asyncio.sleep(MAX_SECONDS)
        case "drip":
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n" * 2:
                transport.write(bytes([byte]))
                await asyncio.sleep(1)
        case "cut":
            transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\nhalf")
            await asyncio.sleep(0.01)
        case "garbage":
            transport.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            await asyncio.sleep(0.01)
        case "reset" | "ok":
            pass
    transport.abort()
    return web.Response()


async def serve(crm: Crm, port: int, ready: Path) -> None:
    app = web.Application()
    app.add_routes([web.post("/callback", crm.callback), web.put("/mood", crm.change)])
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    draft = ready.with_suffix(".draft")
    draft.write_text(json.dumps({"port": runner.addresses[0][1]}))
    draft.rename(ready)
    await stop.wait()
    await runner.cleanup()


@click.command()
@click.option("--secret", required=True)
@click.option("--effects", type=click.Path(path_type=Path), required=True)
@click.option("--port", type=int, default=0)
@click.option("--ready-file", type=click.Path(path_type=Path), required=True)
def main(secret: str, effects: Path, port: int, ready_file: Path) -> None:
    asyncio.run(serve(Crm(Book(effects), secret=secret), port, ready_file))


if __name__ == "__main__":
    main()
