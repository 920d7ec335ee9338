"""The edge to aio-pika: a URL in, an open connection out; every failure becomes one sentence."""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from typing import TypeVar

from aio_pika import Connection
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import (
    CONNECTION_EXCEPTIONS,
    InvalidFrameError,
    ProbableAuthenticationError,
)
from yarl import URL

from service import supervisor
from service.domain.errors import BrokerUnavailable, ConfigurationError

HEARTBEAT = 10
"""aiormq gives a silent peer up after 3 x (heartbeat + 1) seconds; its default makes that 183."""
CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 5.0
CLOSE_TIMEOUT = 3.0

T = TypeVar("T")


class Unanswered(BrokerUnavailable):
    """The connection stands, but no answer came in time."""


async def answered(call: Awaitable[T], *, doing: str, within: float = ANSWER_TIMEOUT) -> T:
    """Await an AMQP call; raise BrokerUnavailable for whatever becomes of it in time.

    The call runs in a task of its own: aiormq ends calls on a dead connection with a
    CancelledError nobody asked for, and may hold on to a cancelled call while its buffers are full.
    """
    task = asyncio.ensure_future(call)
    try:
        await asyncio.wait({task}, timeout=within)
        supervisor.step()
    finally:
        if not task.done():
            task.cancel()
            task.add_done_callback(_forget)
    if not task.done():
        raise Unanswered(f"RabbitMQ did not answer within {within:g} s while {doing}.")
    if task.cancelled():
        raise BrokerUnavailable(f"The connection to RabbitMQ was lost while {doing}.")
    try:
        return task.result()
    except CONNECTION_EXCEPTIONS as exc:
        raise BrokerUnavailable(f"RabbitMQ failed while {doing}: {_text(exc)}") from exc


@asynccontextmanager
async def opened(url: str, *, name: str) -> AsyncIterator[AbstractConnection]:
    """Open a connection and close it whatever happens; `name` shows in RabbitMQ's own lists."""
    target = read_url(url)
    connection = Connection(target, client_properties={"connection_name": f"orderhook {name}"})
    try:
        await _connect(connection, target)
        yield connection
    finally:
        # Without a close aio-pika opens a last one from __del__, on whatever thread collects it.
        with suppress(BrokerUnavailable):
            await answered(connection.close(), doing="closing", within=CLOSE_TIMEOUT)


@asynccontextmanager
async def open_channel(connection: AbstractConnection) -> AsyncIterator[AbstractChannel]:
    """Open a channel for a few questions; its end gives back what it took from a queue."""
    try:
        channel = connection.channel(publisher_confirms=False)
    except RuntimeError as exc:
        raise BrokerUnavailable("The connection to RabbitMQ is closed.") from exc
    await answered(channel.initialize(), doing="opening a channel")
    try:
        yield channel
    finally:
        await close_channel(channel)


async def close_channel(channel: AbstractChannel) -> None:
    if not channel.is_closed:
        with suppress(BrokerUnavailable):
            await answered(channel.close(), doing="closing a channel", within=CLOSE_TIMEOUT)


def read_url(url: str) -> URL:
    """Raise ConfigurationError for anything but an AMQP URL."""
    try:
        target = URL(url)
        readable = target.scheme in {"amqp", "amqps"} and bool(target.host) and target.port != 0
    except ValueError:
        readable = False
        target = URL()
    if not readable:
        raise ConfigurationError(
            "The broker URL cannot be read; write amqp://user:password@host:5672/vhost."
        )
    return target if "heartbeat" in target.query else target.update_query(heartbeat=HEARTBEAT)


async def _connect(connection: AbstractConnection, target: URL) -> None:
    try:
        await answered(
            connection.connect(timeout=CONNECT_TIMEOUT),
            doing="connecting",
            within=CONNECT_TIMEOUT + 1,
        )
    except BrokerUnavailable as exc:
        raise BrokerUnavailable(_sentence(target, exc.__cause__)) from exc.__cause__


def _sentence(target: URL, failure: BaseException | None) -> str:
    """Say it without the password; aiormq hides the socket's own error one cause deeper."""
    port = target.port or (5671 if target.scheme == "amqps" else 5672)
    place = f"RabbitMQ at {target.host}:{port}"
    user = repr(target.user or "guest")
    match failure:
        case None | TimeoutError():
            return f"{place} does not answer within {CONNECT_TIMEOUT:g} s."
        case ProbableAuthenticationError():
            return f"{place} refuses the user name or password of {user}."
        case InvalidFrameError() if "Connection.Close" in str(failure):
            vhost = target.path.removeprefix("/") or "/"
            return f"{place} has no virtual host {vhost!r} that {user} may use."
        case _:
            return f"{place} {_unreachable(failure)}"


def _unreachable(failure: BaseException) -> str:
    match failure.__cause__:
        case ConnectionRefusedError():
            return "refuses connections: is it running?"
        case socket.gaierror():
            return "cannot be reached: the host name cannot be resolved."
        case ssl.SSLError() as cause:
            return f"cannot be reached over TLS: {cause.reason or 'handshake failed'}."
        case _:
            return f"cannot be reached: {_text(failure)}"


def _text(failure: BaseException) -> str:
    """Quote the client library on one line."""
    return re.sub(r"\s+", " ", str(failure))[:200] or type(failure).__name__


def _forget(task: "asyncio.Future[T]") -> None:
    if not task.cancelled():
        task.exception()
