"""Stands before both applications: refuses what is not plain HTTP, answers every failure.

aiohttp parses; what its parser lets through and we do not want ends here (other HTTP versions,
absolute targets, chunked bodies, too many connections), and so does every exception.
"""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web

from service import telemetry
from service.domain.errors import OrderhookError
from service.settings.values import Network
from service.store.ids import new_id
from service.web import limits, peers, problems
from service.web.limits import Limits
from service.web.problems import Refused

log = structlog.get_logger()

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]

PEER = web.RequestKey("peer", str)
"""The client's address behind trusted proxies, where a handler found it out."""
SOURCE = web.RequestKey("source", str)
ROUTE = web.RequestKey("route", str)
"""The pattern of the path, for the log: the path itself may carry a token."""

VERSIONS = (HttpVersion10, HttpVersion11)
COMMON_HEADERS = {
    "Server": "orderhook",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
NOT_HTTP = "This is not a valid HTTP/1.1 request."
CROWDED = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: {}\r\nContent-Length: {}\r\n"
NO_ACCESS_LOG = logging.getLogger("orderhook.access")
NO_ACCESS_LOG.disabled = True
READ_BYTES = 64 * 1024
QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})


def check_framing(request: web.BaseRequest) -> None:
    """Refuse what the parser takes and a careful server does not."""
    if request.version not in VERSIONS:
        raise Refused(400, "Speak HTTP/1.1.", close=True)
    target = request.raw_path
    if not target.startswith("/") or "#" in target:
        raise Refused(
            400, "The request target must be a path that begins with a slash.", close=True
        )
    if "Transfer-Encoding" in request.headers:
        raise Refused(411, limits.NO_LENGTH, close=True)


def guarded(handle: Handler, *, listener: str) -> Handler:
    """The handler with framing checks in front and an answer for everything behind."""

    async def guard(request: web.BaseRequest) -> web.StreamResponse:
        began = time.monotonic()
        request_id = str(new_id())
        # aiohttp runs every request in a task of its own, so this binding ends with it.
        structlog.contextvars.bind_contextvars(request_id=request_id)
        answer = await _answer(request, handle, instance=f"urn:uuid:{request_id}")
        for name, value in COMMON_HEADERS.items():
            answer.headers.setdefault(name, value)
        _record(request, answer, listener=listener, seconds=time.monotonic() - began)
        return answer

    return guard


async def _answer(
    request: web.BaseRequest, handle: Handler, *, instance: str
) -> web.StreamResponse:
    try:
        check_framing(request)
        return await handle(request)
    except Refused as refused:
        return problems.response(refused, instance=instance)
    except web.HTTPException as known:
        return problems.response(_translated(known), instance=instance)
    except (OrderhookError, TimeoutError) as error:
        log.warning("request_failed", error=type(error).__name__, detail=str(error))
        return problems.response(problems.unavailable(problems.UNEXPECTED), instance=instance)
    except Exception as error:
        log.exception("request_crashed", error=type(error).__name__)
        return problems.response(problems.unavailable(problems.UNEXPECTED), instance=instance)


def _translated(known: web.HTTPException) -> Refused:
    """What aiohttp itself says no to: an unknown path or the wrong method."""
    match known:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(known.allowed_methods))
            return Refused(405, f"Use {allowed} here.", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return Refused(404, "There is nothing at this path; openapi.yaml lists what there is.")
        case web.HTTPClientError():
            return Refused(400, NOT_HTTP, close=True)
        case _:
            return problems.unavailable(problems.UNEXPECTED)


def _record(
    request: web.BaseRequest, answer: web.StreamResponse, *, listener: str, seconds: float
) -> None:
    telemetry.HTTP_ANSWERS.labels(listener, str(answer.status)).inc()
    telemetry.HTTP_SECONDS.labels(listener).observe(seconds)
    route = request.get(ROUTE, "")
    say = log.debug if route in QUIET_ROUTES and answer.status < 400 else log.info
    said: dict[str, Any] = {"source": request[SOURCE]} if SOURCE in request else {}
    say(
        "request",
        listener=listener,
        method=request.method,
        route=route,
        status=answer.status,
        ms=round(seconds * 1000, 1),
        peer=request.get(PEER, request.remote or ""),
        **said,
    )


@web.middleware
async def name_route(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Note the pattern that matched, for the log."""
    resource = request.match_info.route.resource
    request[ROUTE] = resource.canonical if resource is not None else ""
    return await handler(request)


class Door:
    """Counts the connections of a listener, in all and by peer, and turns away what is too many."""

    def __init__(self, listener: str, bounds: Limits, *, trusted: tuple[Network, ...]) -> None:
        self._gauge = telemetry.CONNECTIONS.labels(listener)
        self._bounds = bounds
        self._trusted = trusted
        self._by_peer: Counter[str] = Counter()
        self._open = 0

    def enter(self, peer: str) -> bool:
        if self._open >= self._bounds.connections or self._is_greedy(peer):
            return False
        self._open += 1
        self._by_peer[peer] += 1
        self._gauge.inc()
        return True

    def leave(self, peer: str) -> None:
        self._open -= 1
        self._by_peer[peer] -= 1
        if not self._by_peer[peer]:
            del self._by_peer[peer]
        self._gauge.dec()

    def _is_greedy(self, peer: str) -> bool:
        many = self._by_peer[peer] >= self._bounds.connections_of_one_peer
        return many and not peers.is_trusted(peer, self._trusted)


class Connection(web.RequestHandler):
    """One client connection: counted at the door, and terse about what is not HTTP."""

    def __init__(self, server: web.Server, *, door: Door, bounds: Limits) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            access_log=NO_ACCESS_LOG,
            auto_decompress=False,
            keepalive_timeout=bounds.idle_seconds,
            lingering_time=bounds.lingering_seconds,
            max_line_size=bounds.line_bytes,
            max_field_size=bounds.field_bytes,
            max_headers=bounds.fields,
            read_bufsize=READ_BYTES,
        )
        self._door = door
        self._peer: str | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        peer = str(name[0]) if name else ""
        if self._door.enter(peer):
            self._peer = peer
            super().connection_made(transport)
        else:
            log.warning("connection_refused", peer=peer)
            _turn_away(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._peer is not None:
            self._door.leave(self._peer)
            self._peer = None
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused; its own words repeat the sender's bytes, ours do not."""
        log.info("request_malformed", error=type(exc).__name__, peer=self._peer or "")
        if request.writer.output_size > 0:
            raise ConnectionError("An answer is on its way already.")
        refused = Refused(400, NOT_HTTP, close=True)
        answer = problems.response(
            refused if status == 400 else problems.unavailable(message or "")
        )
        answer.headers.update(COMMON_HEADERS)
        return answer


def _turn_away(transport: asyncio.BaseTransport) -> None:
    assert isinstance(transport, asyncio.Transport)
    said = problems.body(503, limits.OVERLOADED)
    head = CROWDED.format(problems.CONTENT_TYPE, len(said))
    transport.write(f"{head}Retry-After: 5\r\nConnection: close\r\n\r\n".encode() + said)
    transport.close()
