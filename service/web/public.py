"""The public listener: raw requests of senders in, the intake's answers out."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
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
from service.web.gate import VISIT, Direct
from service.web.lag import Lag
from service.web.limits import Budget, Limits, Places
from service.web.listeners import CHUNKED, DIRECT, LIMITS, TRUSTED
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
        app.router.add_route("*", path, reception.webhook, expect_handler=_later)
    app[DIRECT] = Direct(PREFIX, reception.webhook)
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
CANONICAL = ("/webhooks/{source}", "/webhooks/{source}/{tail}", "/webhooks{rest}")
"""The same, as the log names them."""
IS_NAME = re.compile(NAME).fullmatch
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

    async def webhook(self, request: web.BaseRequest) -> web.Response:
        source, tail = source_and_tail(request.raw_path)
        visit = request[VISIT]
        visit.route = _route(request.raw_path)
        visit.source = source
        visit.peer = self._peer(request)
        bounds = self._intake.bounds(source)
        most = self._admit(request, bounds)
        limits.invite(request)
        sender = request.headers.getall("traceparent", ())
        with tracing.serving(f"{request.method} {PATHS[0]}", sender=sender) as span:
            span.set({"orderhook.request_id": str(visit.id)})
            reply = await self._receive(request, source, tail, most=most, bounds=bounds)
            span.set({"http.response.status_code": reply.status})
            if reply.status >= 500:
                span.fail(str(reply.status))
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _receive(
        self, request: web.BaseRequest, source: str, tail: str, *, most: int, bounds: Bounds
    ) -> Reply:
        body = bytearray()
        try:
            await limits.read(request, body, most=most, budget=self._budget, limits=self._bounds)
            raw = raw_request(
                request, bytes(body), tail=tail, received_at=self._clock(), base=self._public_url
            )
            with self._places.of(source, bounds.concurrency):
                return await self._intake.receive(source, raw)
        finally:
            self._budget.give_back(len(body))

    def _admit(self, request: web.BaseRequest, bounds: Bounds) -> int:
        """Judge a request by its head; the most bytes its body may have come out."""
        if request.method not in METHODS:
            raise Refused(405, "Use POST here.", headers={"Allow": "POST"})
        if self._lag.overloaded:
            raise limits.overloaded("lag")
        most = self._announced(request, bounds.max_body)
        self._budget.admit(most)
        return most

    def _announced(self, request: web.BaseRequest, limit: int) -> int:
        if "Transfer-Encoding" in request.headers:
            return limit  # the gate saw to it that this source may
        if request.method != "POST" and "Content-Length" not in request.headers:
            return 0
        return limits.content_length(request, limit=limit)

    def _peer(self, request: web.BaseRequest) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", ())
        return peers.client(request.remote or "", forwarded, trusted=self._trusted)


def source_and_tail(target: str) -> tuple[str, str]:
    """The source a raw request target names ("" when it names none) and the rest of the path.

    The name is read from the wire, not decoded: only one spelling of an address reaches a source.
    """
    path = target.partition("?")[0]
    if not path.startswith(PREFIX):
        return "", ""
    name, _, tail = path.removeprefix(PREFIX).partition("/")
    return (name, unquote(tail)) if IS_NAME(name) else ("", "")


async def _later(_request: web.Request) -> None:
    """Whoever receives it invites the body, once its length is known to be welcome."""


def _route(target: str) -> str:
    """The pattern of a path; what matches none of the first two is no address of a source."""
    name, slash, _ = target.partition("?")[0].removeprefix(PREFIX).partition("/")
    if not name:
        return CANONICAL[2]
    return CANONICAL[1] if slash else CANONICAL[0]


def raw_request(
    request: web.BaseRequest, body: bytes, *, tail: str, received_at: datetime, base: str
) -> RawRequest:
    path, _, query = request.raw_path.partition("?")
    visit = request[VISIT]
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
        peer=visit.peer,
        tail=tail,
        id=visit.id,
        url=base and base + request.raw_path,
    )
