"""Opens a listener: an application and an address in, the base URL senders can use out."""

import asyncio
import errno
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiohttp import http_parser, web

from service.domain.errors import ConfigurationError, Conflict
from service.settings import Address
from service.web.connections import Connection, Door
from service.web.gate import Chunked, Direct, Handler, first, guarded, never
from service.web.limits import Limits

log = structlog.get_logger()

LIMITS = web.AppKey("limits", Limits)
TRUSTED = web.AppKey("trusted", tuple)
CHUNKED: web.AppKey[Chunked] = web.AppKey("chunked")
"""Where bodies without a length are taken; nowhere, if an application does not say."""
DIRECT = web.AppKey("direct", Direct)
"""Where the requests go that are too many for a search among the routes."""
LEAVING: web.AppKey[asyncio.Event] = web.AppKey("leaving")
"""Set when the listener closes soon: every answer asks its client for another connection then."""
BACKLOG = 1024


def require_strict_parser() -> None:
    """Refuse to serve with aiohttp's pure-Python parser, where most of its parser flaws were."""
    if http_parser.HttpRequestParser is http_parser.HttpRequestParserPy:
        raise ConfigurationError(
            "aiohttp runs without its C parser: unset AIOHTTP_NO_EXTENSIONS and install an aiohttp "
            "wheel that is built for this Python and system."
        )
    if not __debug__:
        raise ConfigurationError("Python runs without assertions: start it without -O.")


@asynccontextmanager
async def listening(
    app: web.Application,
    address: Address,
    *,
    name: str,
    reuse_port: bool = False,
    sock: socket.socket | None = None,
) -> AsyncIterator[str]:
    """Serve `app` until the block ends, then finish what is in flight; yields the base URL.

    `name` is "public" or "internal": the flag that moves the listener elsewhere is called so.
    """
    require_strict_parser()
    bounds = app[LIMITS]
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=bounds.stop_seconds)
    await runner.setup()
    try:
        assert runner.server is not None
        handle: Handler = runner.server.request_handler
        if DIRECT in app:
            handle = first(app[DIRECT], handle)
        chunked = app.get(CHUNKED, never)
        leaving = app.get(LEAVING, asyncio.Event())
        runner.server.request_handler = guarded(
            handle, listener=name, chunked=chunked, is_leaving=leaving.is_set
        )
        door = Door(name, bounds, trusted=app[TRUSTED])
        connect = partial(Connection, runner.server, door=door, bounds=bounds)
        server = await _bind(connect, address, name=name, reuse_port=reuse_port, sock=sock)
        try:
            url = _url(server.sockets[0])
            log.info("listening", listener=name, url=url)
            yield url
        finally:
            server.close()
    finally:
        await runner.cleanup()


async def _bind(
    connect: Callable[[], Connection],
    address: Address,
    *,
    name: str,
    reuse_port: bool,
    sock: socket.socket | None,
) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        if sock is not None:
            return await loop.create_server(connect, sock=sock, backlog=BACKLOG)
        return await loop.create_server(
            connect, address.host, address.port, backlog=BACKLOG, reuse_port=reuse_port or None
        )
    except OSError as error:
        raise _explained(error, address, name) from error


def _explained(error: OSError, address: Address, name: str) -> Conflict | ConfigurationError:
    if error.errno == errno.EADDRINUSE:
        return Conflict(
            f"Another program listens on {address} already: stop it, or choose another port with "
            f"--{name} HOST:PORT (port 0 picks a free one)."
        )
    return ConfigurationError(
        f"Cannot listen on {address} ({error.strerror or type(error).__name__}): choose an address "
        f"of this machine and a port you may use with --{name} HOST:PORT."
    )


def _url(sock: socket.socket) -> str:
    """A numeric URL that works from this machine, also when listening on all addresses."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104  (only read)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
