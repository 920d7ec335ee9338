"""Client connections: counted at the door, turned away when too many, terse about non-HTTP."""

import asyncio
import logging
import socket
import struct
from collections import Counter

import structlog
from aiohttp import web

from service import telemetry
from service.settings.values import Network
from service.web import limits, peers, problems
from service.web.gate import COMMON_HEADERS, NOT_HTTP
from service.web.limits import Limits
from service.web.problems import Refused

log = structlog.get_logger()

NO_ACCESS_LOG = logging.getLogger("orderhook.access")
NO_ACCESS_LOG.disabled = True
READ_BYTES = 64 * 1024
CROWDED = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: {}\r\nContent-Length: {}\r\n"


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
        self._by_peer[peers.neighbourhood(peer)] += 1
        self._gauge.inc()
        return True

    def leave(self, peer: str) -> None:
        self._open -= 1
        near = peers.neighbourhood(peer)
        self._by_peer[near] -= 1
        if not self._by_peer[near]:
            del self._by_peer[near]
        self._gauge.dec()

    def _is_greedy(self, peer: str) -> bool:
        near = peers.neighbourhood(peer)
        many = self._by_peer[near] >= self._bounds.connections_of_one_peer
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
        self._unread_seconds = bounds.unread_seconds
        self._unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        name = transport.get_extra_info("peername")
        peer = str(name[0]) if name else ""
        if self._door.enter(peer):
            self._peer = peer
            super().connection_made(transport)
        else:
            telemetry.HTTP_SHED.labels("connections").inc()
            log.warning("connection_refused", peer=peer)
            _turn_away(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._peer is not None:
            self._door.leave(self._peer)
            self._peer = None
        self._stop_waiting()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Give a client that does not read its answers some time to begin with it."""
        super().pause_writing()
        if self.transport is not None:
            loop = asyncio.get_running_loop()
            self._unread = loop.call_later(self._unread_seconds, _hang_up, self.transport)

    def resume_writing(self) -> None:
        self._stop_waiting()
        super().resume_writing()

    def _stop_waiting(self) -> None:
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        _message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what the parser refused; its own words repeat the sender's bytes, ours do not."""
        log.info("request_malformed", error=type(exc).__name__, peer=self._peer or "")
        if request.writer.output_size > 0:
            raise ConnectionError("An answer is on its way already.")
        refused = Refused(400, NOT_HTTP, close=True)
        answer = problems.response(
            refused if status == 400 else problems.unavailable(problems.UNEXPECTED)
        )
        answer.headers.update(COMMON_HEADERS)
        return answer


def _hang_up(transport: asyncio.Transport) -> None:
    """End a connection with a reset, so that the kernel keeps no answer for it either."""
    log.info("answer_not_read")
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _turn_away(transport: asyncio.BaseTransport) -> None:
    assert isinstance(transport, asyncio.Transport)
    said = problems.body(503, limits.OVERLOADED)
    head = CROWDED.format(problems.CONTENT_TYPE, len(said))
    transport.write(f"{head}Retry-After: 5\r\nConnection: close\r\n\r\n".encode() + said)
    transport.close()
