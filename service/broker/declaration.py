"""The topology in a running broker: `orderhook migrate` declares it, roles what is missing."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity, ChannelPreconditionFailed
from aiormq.exceptions import ChannelAccessRefused, ConnectionInternalError

from service.broker.base import Depth
from service.broker.connection import ANSWER_TIMEOUT, Unanswered, answered, open_channel, opened
from service.broker.topology import Queue, Topology
from service.domain.errors import BrokerUnavailable, ConfigurationError

SETTLE = 5.0
"""A younger quorum queue forgets confirmed messages when its server dies (RabbitMQ 3.10.8)."""
LEADER_TIMEOUT = 10.0
NO_PROCESS = "noproc"
DELETE_TIMEOUT = 15.0
"""RabbitMQ 3.10 asks a silent queue for five seconds before it deletes it all the same."""

T = TypeVar("T")
log = structlog.get_logger()


class Damaged(BrokerUnavailable):
    """The broker answers, but something orderhook declared is not there."""


class Leaderless(BrokerUnavailable):
    """A queue nothing comes into or out of, as after a crash of RabbitMQ.

    `gone`: it has no process, nor will it get one again. Otherwise it only does not answer, which
    a majority of the nodes that comes back would end.
    """

    def __init__(self, queue: str, *, gone: bool) -> None:
        state = "has no leader" if gone else "does not answer"
        super().__init__(
            f"Queue {queue} {state}, as after a crash of RabbitMQ: it is deleted and declared "
            f"anew if that lasts; by hand: `rabbitmqctl delete_queue {queue}`, then "
            f"`orderhook migrate`."
        )
        self.queue = queue
        self.gone = gone


class Refused(ConfigurationError):
    """The user may not declare: roles need not be able to, `orderhook migrate` must."""


async def declare(url: str, topology: Topology, *, settle: float = SETTLE) -> tuple[str, ...]:
    """Make what is missing, wait until it can be trusted, return the names of the new queues.

    A queue whose leader is gone for good counts as missing.
    """
    for queue in topology.queues:
        await remove_leaderless(url, queue.name, silent=False)
    async with opened(url, name="migrate") as connection:
        absent = [queue for queue in topology.queues if not await _exists(connection, queue)]
        await declare_all(connection, topology)
        if absent:
            await asyncio.sleep(settle)
        await look(connection, topology, thorough=True)
    return tuple(queue.name for queue in absent)


async def make_sure(url: str, topology: Topology, *, settle: float = SETTLE) -> None:
    """Declare what is missing; raise ConfigurationError when it cannot be or is not as it should.

    So a role starts on a broker that lost everything.
    """
    try:
        await verify(url, topology)
    except Missing as missing:
        try:
            made = await declare(url, topology, settle=settle)
        except Refused:
            raise missing from None
        log.warning("broker_declared_anew", queues=made, reason=str(missing))


class Missing(ConfigurationError):
    """Something is not there, and was not made."""


async def verify(url: str, topology: Topology) -> None:
    """Raise ConfigurationError unless everything is there as this version would declare it."""
    async with opened(url, name="verify") as connection:
        try:
            await look(connection, topology, thorough=True)
        except Damaged as exc:
            raise Missing(str(exc)) from exc
        for queue in topology.queues:
            await _compare(connection, queue)


async def look(
    connection: AbstractConnection, topology: Topology, *, thorough: bool = False
) -> dict[str, Depth]:
    """Look at every exchange and queue without making any; `thorough` also asks for leaders."""
    async with open_channel(connection) as channel:
        for exchange in topology.exchanges:
            await _find(channel.declare_exchange(exchange, passive=True), f"exchange {exchange}")
        depths = {queue.name: await depth(channel, queue.name) for queue in topology.queues}
        if thorough:
            for name, seen in depths.items():
                await _ask_leader(channel, name, seen)
    return depths


async def depth(channel: AbstractChannel, name: str) -> Depth:
    queue = await _find(channel.declare_queue(name, passive=True), f"queue {name}")
    result = queue.declaration_result
    return Depth(messages=result.message_count or 0, consumers=result.consumer_count or 0)


async def _find(call: Awaitable[T], what: str) -> T:
    try:
        return await answered(call, doing=f"looking at the {what}")
    except BrokerUnavailable as exc:
        if isinstance(exc.__cause__, ChannelNotFoundEntity):
            raise Damaged(f"RabbitMQ has no {what}: run `orderhook migrate`.") from exc
        raise


async def _ask_leader(channel: AbstractChannel, name: str, seen: Depth) -> None:
    """Without a leader a queue still answers a passive look, as empty; only a get needs one.

    A message that slipped in meanwhile goes back when the channel is closed.
    """
    if seen.messages:
        return
    queue = await channel.get_queue(name, ensure=False)
    got = queue.get(fail=False, timeout=None)
    try:
        await answered(got, doing=f"asking the leader of {name}", within=LEADER_TIMEOUT)
    except Unanswered as exc:
        raise Leaderless(name, gone=False) from exc
    except BrokerUnavailable as exc:
        if isinstance(exc.__cause__, ConnectionInternalError) and NO_PROCESS in str(exc.__cause__):
            raise Leaderless(name, gone=True) from exc
        raise


async def remove_leaderless(url: str, name: str, *, silent: bool) -> bool:
    """Delete a queue that has no leader, if that is still so; tell whether it was done.

    Nothing is lost: a queue holds pointers, and the outbox gives them again. What is `silent` may
    be whole, so only who has waited says so. Raises Refused when this user may not delete.
    """
    try:
        async with opened(url, name="ask") as connection, open_channel(connection) as channel:
            await _ask_leader(channel, name, await depth(channel, name))
    except Damaged:
        return False
    except Leaderless as found:
        if not (found.gone or silent):
            return False
    else:
        return False
    async with opened(url, name="mend") as connection, open_channel(connection) as channel:
        await _agree(channel.queue_delete(name), f"queue {name} anew", within=DELETE_TIMEOUT)
    return True


async def _exists(connection: AbstractConnection, queue: Queue) -> bool:
    async with open_channel(connection) as channel:
        try:
            await depth(channel, queue.name)
        except Damaged:
            return False
        return True


async def declare_all(connection: AbstractConnection, topology: Topology) -> None:
    """Make what is missing; raises ConfigurationError when it may not, or is told to differ."""
    async with open_channel(connection) as channel:
        for exchange in topology.exchanges:
            made = channel.declare_exchange(exchange, ExchangeType.DIRECT, durable=True)
            await _agree(made, f"exchange {exchange}")
        for queue in topology.queues:
            await _declare_queue(channel, queue)
            await _bind(channel, queue)


async def bind_all(connection: AbstractConnection, topology: Topology) -> None:
    """Bind every queue again, which changes nothing where it is bound: nobody can ask.

    It takes no permission but those of every role: to write to the queue, to read the exchange.
    """
    async with open_channel(connection) as channel:
        for queue in topology.queues:
            await _bind(channel, queue)


async def _bind(channel: AbstractChannel, queue: Queue) -> None:
    bound = (await channel.get_queue(queue.name, ensure=False)).bind(queue.exchange)
    await _agree(bound, f"binding of {queue.name}")


async def _compare(connection: AbstractConnection, queue: Queue) -> None:
    """Declare a queue just seen, which makes nothing: a passive look compares no arguments."""
    async with open_channel(connection) as channel:
        try:
            await _declare_queue(channel, queue)
        except Refused:
            log.info("broker_arguments_not_compared", queue=queue.name)


async def _declare_queue(channel: AbstractChannel, queue: Queue) -> None:
    made = channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))
    await _agree(made, f"queue {queue.name}")


async def _agree(call: Awaitable[object], what: str, *, within: float = ANSWER_TIMEOUT) -> None:
    try:
        await answered(call, doing=f"declaring the {what}", within=within)
    except BrokerUnavailable as exc:
        match exc.__cause__:
            case ChannelPreconditionFailed() as said:
                raise ConfigurationError(
                    f"RabbitMQ has a {what} with other arguments ({said}): "
                    f"let the workers empty it, delete it, then run `orderhook migrate`."
                ) from exc
            case ChannelAccessRefused():
                raise Refused(
                    f"RabbitMQ does not let this user declare the {what}: "
                    f"run `orderhook migrate` as a user with configure permission."
                ) from exc
            case ChannelNotFoundEntity():
                raise Damaged(
                    f"RabbitMQ lost what the {what} needs: run `orderhook migrate`."
                ) from exc
            case _:
                raise
