"""The public listener: raw requests of senders in, the intake's answers out."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Protocol
from urllib.parse import unquote

from aiohttp import web

from service import tracing
from service.intake.admission import Bounds
from service.intake.provider import RawRequest, Reply
from service.settings import Server
from service.settings.values import NAME, Network
from service.web import gate, health, limits, peers
from service.web.lag import Lag
from service.web.limits import Budget, Limits, Places
from service.web.listeners import CHUNKED, LIMITS, TRUSTED
from service.web.problems import Refused

PREFIX = "/webhooks/"


class Receiver(Protocol):
    """What the listener needs of the intake; an unknown source is named by the empty string."""

    def bounds(self, source: str, /) -> Bounds: ...

    async def receive(self, source: str, request: RawRequest, /) -> Reply: ...


def public_app(
    intake: Receiver,
    server: Server,
    clock: Callable[[], datetime],
    *,
    bounds: Limits | None = None,
) -> web.Application:
    """The application of the public listener; run it with `listeners.listening`."""
    app = web.Application(middlewares=[gate.name_route])
    app[LIMITS] = bounds or Limits.of(server)
    app[TRUSTED] = server.trusted_proxies
    takes_chunks: gate.Chunked = partial(_takes_chunks, intake)
    app[CHUNKED] = takes_chunks
    lag = Lag(app[LIMITS].lag_seconds)
    app.cleanup_ctx.append(_watching(lag))
    reception = Reception(
        intake,
        app[LIMITS],
        lag,
        trusted=server.trusted_proxies,
        clock=clock,
        public_url=server.public_url or "",
    )
    for path in PATHS:
        app.router.add_route("*", path, reception.webhook, expect_handler=reception.expect_continue)
    app.router.add_route("GET", "/health/live", health.live)
    return app


def _takes_chunks(intake: Receiver, target: str) -> bool:
    source, _ = source_and_tail(target)
    return bool(source) and intake.bounds(source).chunked


def _watching(lag: Lag) -> Callable[[web.Application], AsyncIterator[None]]:
    async def watching(_app: web.Application) -> AsyncIterator[None]:
        task = asyncio.create_task(lag.watch())
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return watching


PATHS = (
    "/webhooks/{source}",
    "/webhooks/{source}/{tail:(?s:.*)}",
    # Whatever else is asked for below /webhooks is an unknown source: 401 there, never 404.
    "/webhooks{rest:(?s:/.*)?}",
)
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST"})
"""Webhooks are posted; with the others a sender may test the address, if its preset says so."""


class Reception:
    """Receives one webhook: bounds first, then raw bytes, then the intake decides."""

    def __init__(
        self,
        intake: Receiver,
        bounds: Limits,
        lag: Lag,
        *,
        trusted: Sequence[Network],
        clock: Callable[[], datetime],
        public_url: str = "",
    ) -> None:
        self._intake = intake
        self._bounds = bounds
        self._lag = lag
        self._budget = Budget(bounds.bodies_in_memory)
        self._places = Places()
        self._trusted = trusted
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    async def expect_continue(self, request: web.Request) -> None:
        """Invite a body only when its announced length is welcome."""
        self._admit(request, source_and_tail(request.raw_path)[0])
        limits.invite(request)

    async def webhook(self, request: web.Request) -> web.Response:
        source, tail = source_and_tail(request.raw_path)
        request[gate.SOURCE] = source
        request[gate.PEER] = self._peer(request)
        most = self._admit(request, source)
        sender = request.headers.getall("traceparent", [])
        with tracing.serving(f"{request.method} {PATHS[0]}", sender=sender) as span:
            span.set({"orderhook.request_id": str(request.get(gate.REQUEST_ID, ""))})
            reply = await self._receive(request, source, tail, most=most)
            span.set({"http.response.status_code": reply.status})
            if reply.status >= 500:
                span.fail(str(reply.status))
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _receive(self, request: web.Request, source: str, tail: str, *, most: int) -> Reply:
        body = bytearray()
        try:
            await limits.read(request, body, most=most, budget=self._budget, limits=self._bounds)
            peer = request[gate.PEER]
            raw = raw_request(request, body=bytes(body), peer=peer, received_at=self._clock())
            url = self._public_url and self._public_url + request.raw_path
            with self._places.of(source, self._intake.bounds(source).concurrency):
                return await self._intake.receive(source, replace(raw, tail=tail, url=url))
        finally:
            self._budget.give_back(len(body))

    def _admit(self, request: web.Request, source: str) -> int:
        """Judge a request by its head; the most bytes its body may have come out."""
        if request.method not in METHODS:
            raise Refused(405, "Use POST here.", headers={"Allow": "POST"})
        if self._lag.overloaded:
            raise limits.overloaded("lag")
        most = self._announced(request, self._intake.bounds(source).max_body)
        self._budget.admit(most)
        return most

    def _announced(self, request: web.Request, limit: int) -> int:
        if "Transfer-Encoding" in request.headers:
            return limit  # the gate saw to it that this source may
        if request.method != "POST" and "Content-Length" not in request.headers:
            return 0
        return limits.content_length(request, limit=limit)

    def _peer(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return peers.client(request.remote or "", forwarded, trusted=self._trusted)


def source_and_tail(target: str) -> tuple[str, str]:
    """The source a raw request target names ("" when it names none) and the rest of the path.

    The name is read from the wire, not decoded: only one spelling of an address reaches a source.
    """
    path = target.partition("?")[0]
    if not path.startswith(PREFIX):
        return "", ""
    name, _, tail = path.removeprefix(PREFIX).partition("/")
    return (name, unquote(tail)) if re.fullmatch(NAME, name) else ("", "")


def raw_request(
    request: web.BaseRequest, *, body: bytes, peer: str, received_at: datetime
) -> RawRequest:
    path, _, query = request.raw_path.partition("?")
    return RawRequest(
        method=request.method,
        path=path,
        query=query,
        headers=[
            (name.decode("ascii").lower(), value.decode("latin-1"))
            for name, value in request.raw_headers
        ],
        body=body,
        received_at=received_at,
        peer=peer,
        id=request.get(gate.REQUEST_ID),
    )
