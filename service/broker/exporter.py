"""Messages for exchanges that are not ours: bytes come in, a broker's confirm or an error goes out.

Publishing returns when the broker took responsibility and a queue has the message. It raises
LookupError when no queue takes it, FileNotFoundError when there is no such exchange,
PermissionError when the user may not, TimeoutError when nobody knows, and OSError besides when
nothing was published. Nothing is ever declared.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aio_pika.exceptions import (
    ChannelNotFoundEntity,
    DeliveryError,
    ProbableAuthenticationError,
    PublishError,
)
from aiormq import spec
from aiormq.exceptions import ChannelAccessRefused

from service.broker.connection import answered, opened, read_url
from service.domain.errors import BrokerUnavailable

CONFIRM_WITHIN = 10.0
REST = 1.0
"""Seconds after a failed connection in which no other is tried."""
MOST_EXCHANGES = 64

log = structlog.get_logger()


class Exporter:
    """One broker: a connection of its own, opened when it is first needed and again when lost."""

    def __init__(
        self, url: str, *, ours: Collection[str] = (), within: float = CONFIRM_WITHIN
    ) -> None:
        read_url(url)
        self._url = url
        self._ours = frozenset(ours)
        self._within = within
        self._opening = asyncio.Lock()
        self._held: AsyncExitStack | None = None
        self._connection: AbstractConnection | None = None
        self._outlets: dict[str, tuple[AbstractChannel, AbstractExchange]] = {}
        self._rests_until = 0.0
        self._reason = ""

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        """`message-id` and `content-type` become properties, all others headers of the message."""
        if not exchange or exchange in self._ours:
            raise ValueError("this exchange carries our own work")
        message = _message(body, headers)
        outlet = await self._outlet(exchange)
        sending = outlet.publish(message, routing_key, mandatory=True)
        try:
            confirmed = await answered(sending, doing="publishing", within=self._within)
        except BrokerUnavailable as failure:
            await self._doubt(exchange, failure)
            raise _meant(failure, exchange, routing_key) from failure
        if not isinstance(confirmed, spec.Basic.Ack):
            raise OSError(f"RabbitMQ did not take the message for exchange {exchange}.")

    async def close(self) -> None:
        async with self._opening:
            await self._let_go()

    async def _outlet(self, exchange: str) -> AbstractExchange:
        """The exchange on a channel of its own: a refusal ends a whole channel."""
        async with self._opening:
            known = self._outlets.get(exchange)
            if known is not None and not known[0].is_closed:
                return known[1]
            connection = await self._connected()
            try:
                return await self._looked_at(connection, exchange)
            except BrokerUnavailable as failure:
                raise _missing(failure, exchange) from failure

    async def _looked_at(self, connection: AbstractConnection, exchange: str) -> AbstractExchange:
        if len(self._outlets) >= MOST_EXCHANGES:
            raise BrokerUnavailable(f"More than {MOST_EXCHANGES} exchanges are published to.")
        channel = connection.channel(on_return_raises=True)
        await answered(channel.initialize(), doing="opening a channel")
        looking = channel.get_exchange(exchange, ensure=True)
        found = await answered(looking, doing=f"looking at exchange {exchange}")
        self._outlets[exchange] = channel, found
        return found

    async def _connected(self) -> AbstractConnection:
        present = self._connection
        if present is not None and not present.is_closed and present.connected.is_set():
            return present
        await self._let_go()
        now = asyncio.get_running_loop().time()
        if now < self._rests_until:
            raise ConnectionError(self._reason)
        stack = AsyncExitStack()
        try:
            self._connection = await stack.enter_async_context(opened(self._url, name="export"))
        except BrokerUnavailable as failure:
            self._rests_until, self._reason = now + REST, str(failure)
            refused = isinstance(failure.__cause__, ProbableAuthenticationError)
            raise (PermissionError if refused else ConnectionError)(str(failure)) from failure
        self._held = stack
        return self._connection

    async def _doubt(self, exchange: str, failure: BrokerUnavailable) -> None:
        """Start afresh after anything but a plain refusal of one message."""
        if isinstance(failure.__cause__, DeliveryError):
            return
        log.warning("export_failed", exchange=exchange, reason=str(failure))
        async with self._opening:
            if isinstance(failure.__cause__, ChannelNotFoundEntity | ChannelAccessRefused):
                self._outlets.pop(exchange, None)
            else:
                await self._let_go()

    async def _let_go(self) -> None:
        held, self._held, self._connection = self._held, None, None
        self._outlets.clear()
        if held is not None:
            await held.aclose()


class Exporters:
    """One exporter for each broker, made when it is first asked for."""

    def __init__(self) -> None:
        self._by_url: dict[str, Exporter] = {}

    def to(self, url: str, *, ours: Collection[str] = ()) -> Exporter:
        """Raises ConfigurationError for what is no AMQP URL; `ours` are never published to."""
        if url not in self._by_url:
            self._by_url[url] = Exporter(url, ours=ours)
        return self._by_url[url]

    async def close(self) -> None:
        for exporter in self._by_url.values():
            await exporter.close()


@asynccontextmanager
async def exporting() -> AsyncIterator[Exporters]:
    """Nothing is opened until something is published."""
    exporters = Exporters()
    try:
        yield exporters
    finally:
        await exporters.close()


def _message(body: bytes, headers: Mapping[str, str]) -> Message:
    rest = {
        name: value for name, value in headers.items() if name not in {"message-id", "content-type"}
    }
    return Message(
        body,
        message_id=headers.get("message-id"),
        content_type=headers.get("content-type"),
        headers=dict(rest),
        delivery_mode=DeliveryMode.PERSISTENT,
    )


def _missing(failure: BrokerUnavailable, exchange: str) -> Exception:
    match failure.__cause__:
        case ChannelNotFoundEntity():
            return FileNotFoundError(
                f"RabbitMQ has no exchange {exchange}: declare it there, orderhook never does; "
                "then resume the destination."
            )
        case ChannelAccessRefused():
            return PermissionError(f"RabbitMQ does not let this user look at exchange {exchange}.")
        case _:
            return ConnectionError(str(failure))


def _meant(failure: BrokerUnavailable, exchange: str, routing_key: str) -> Exception:
    match failure.__cause__:
        case PublishError():
            return LookupError(
                f"No queue takes {routing_key} at exchange {exchange}: bind one, then redrive."
            )
        case DeliveryError():
            return OSError(f"A queue at exchange {exchange} refuses messages: it is full.")
        case ChannelNotFoundEntity() | ChannelAccessRefused():
            return _missing(failure, exchange)
        case _:
            return TimeoutError(f"Nobody knows whether the message arrived: {failure}")
