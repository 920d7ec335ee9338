"""A local server that answers as badly as a test wants: behaviours go in, its address comes out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

Behaviour = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Counts what it was asked, and behaves as told now."""

    def __init__(self) -> None:
        self.url = ""
        self.behaviour: Behaviour = says(b"{}")
        self.asked: list[web.Request] = []
        self.headers: list[dict[str, str]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        self.headers.append({name.lower(): value for name, value in request.headers.items()})
        return await self.behaviour(request)


@asynccontextmanager
async def serving(port: int = 0) -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        server.url = f"http://{host}:{port}"
        yield server
    finally:
        await runner.cleanup()


def says(body: bytes, *, status: int = 200, **headers: str) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=sent)

    return behave


def waits_for(event: asyncio.Event, then: Behaviour) -> Behaviour:
    async def behave(request: web.Request) -> web.StreamResponse:
        await event.wait()
        return await then(request)

    return behave


async def drips(request: web.Request) -> web.StreamResponse:
    """Send a byte now and then, and never end."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(2000):
        await response.write(b"{")
        await asyncio.sleep(0.05)
    return response


async def floods(request: web.Request) -> web.StreamResponse:
    """Send without an end."""
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(1000):
        await response.write(b"x" * 65536)
    return response


async def breaks(request: web.Request) -> web.StreamResponse:
    """Cut the connection in the middle of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b"{")
    assert request.transport is not None
    request.transport.abort()
    return response
