"""The public listener: raw requests of senders in, the intake's answers out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol
from urllib.parse import unquote

from aiohttp import HttpVersion11, web

from service import tracing
from service.intake.provider import RawRequest, Reply
from service.settings import Server
from service.settings.values import NAME, Network
from service.web import gate, health, limits, peers
from service.web.limits import Budget, Limits
from service.web.listeners import LIMITS, TRUSTED
from service.web.problems import Refused

PREFIX = "/webhooks/"


class Receiver(Protocol):
    """What the listener needs of the intake; an unknown source is named by the empty string."""

    def max_body(self, source: str, /) -> int: ...

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
    reception = Reception(
        intake,
        app[LIMITS],
        trusted=server.trusted_proxies,
        clock=clock,
        public_url=server.public_url or "",
    )
    for path in PATHS:
        app.router.add_route("*", path, reception.webhook, expect_handler=reception.expect_continue)
    app.router.add_route("GET", "/health/live", health.live)
    return app


PATHS = (
    "/webhooks/{source}",
    "/webhooks/{source}/{tail:.*}",
    # Whatever else is asked for below /webhooks is an unknown source: 401 there, never 404.
    "/webhooks{rest:(?:/.*)?}",
)
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST"})
"""Webhooks are posted; with the others a sender may test the address, if its preset says so."""


class Reception:
    """Receives one webhook: bounds first, then raw bytes, then the intake decides."""

    def __init__(
        self,
        intake: Receiver,
        bounds: Limits,
        *,
        trusted: Sequence[Network],
        clock: Callable[[], datetime],
        public_url: str = "",
    ) -> None:
        self._intake = intake
        self._bounds = bounds
        self._budget = Budget(bounds.bodies_in_memory)
        self._trusted = trusted
        self._clock = clock
        self._public_url = public_url.rstrip("/")

    async def expect_continue(self, request: web.Request) -> None:
        """Invite a body only when its announced length is welcome (RFC 9110, section 10.1.1)."""
        self._admit(request, source_and_tail(request.raw_path)[0])
        wanted = request.headers.get("Expect", "").lower() == "100-continue"
        if wanted and request.version == HttpVersion11 and request.transport is not None:
            request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    async def webhook(self, request: web.Request) -> web.Response:
        source, tail = source_and_tail(request.raw_path)
        request[gate.SOURCE] = source
        request[gate.PEER] = self._peer(request)
        length = self._admit(request, source)
        sender = request.headers.getall("traceparent", [])
        with tracing.serving(f"{request.method} {PATHS[0]}", sender=sender) as span:
            span.set({"orderhook.request_id": str(request.get(gate.REQUEST_ID, ""))})
            reply = await self._receive(request, source, tail, length=length)
            span.set({"http.response.status_code": reply.status})
            if reply.status >= 500:
                span.fail(str(reply.status))
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    async def _receive(self, request: web.Request, source: str, tail: str, *, length: int) -> Reply:
        body = bytearray()
        try:
            await limits.read(
                request, body, length=length, budget=self._budget, limits=self._bounds
            )
            peer = request[gate.PEER]
            raw = raw_request(request, body=bytes(body), peer=peer, received_at=self._clock())
            url = self._public_url and self._public_url + request.raw_path
            return await self._intake.receive(source, replace(raw, tail=tail, url=url))
        finally:
            self._budget.give_back(len(body))

    def _admit(self, request: web.Request, source: str) -> int:
        if request.method not in METHODS:
            raise Refused(405, "Use POST here.", headers={"Allow": "POST"})
        if request.method != "POST" and "Content-Length" not in request.headers:
            return 0
        length = limits.content_length(request, limit=self._intake.max_body(source))
        self._budget.admit(length)
        return length

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
