"""The bad answers of the sandbox CRM: a wish comes in, a refusal or broken connection goes out."""

import asyncio

from aiohttp import web

from service.sandbox.behaviour import Behaviour

MAX_SECONDS = 120.0
PIECE = b"0" * 65_536
NOT_HTTP = b"\x16\x03\x01 this is not HTTP\r\n\r\n"


def promised(wish: Behaviour) -> int | None:
    """The status the caller will see; None when it sees none."""
    return {"ok": 200, "endless": 200, "redirect": 307, "status": wish.status}.get(wish.mode)


async def misbehave(request: web.Request, wish: Behaviour) -> web.StreamResponse:
    """Answer badly, for a bounded time; a caller that leaves ends it at once."""
    status = promised(wish)
    if wish.mode == "endless":
        return await _endless(request)
    if status is not None:
        after = {"Retry-After": wish.retry_after} if wish.retry_after else {}
        where = {"Location": str(request.url)} if wish.mode == "redirect" else {}
        return web.Response(status=status, headers=after | where)
    if wish.mode == "hang":
        await asyncio.sleep(MAX_SECONDS)
    if wish.mode == "garbage" and isinstance(request.transport, asyncio.WriteTransport):
        request.transport.write(NOT_HTTP)
        request.transport.close()
    elif request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async with asyncio.timeout(MAX_SECONDS):
        while True:
            await response.write(PIECE)
