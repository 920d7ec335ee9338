"""A connection to a broker that lost something goes in; what was lost is declared anew."""

import asyncio
import random
from collections.abc import Callable

import structlog
from aio_pika.abc import AbstractConnection

from service import telemetry
from service.broker.declaration import Damaged, Refused, bind_all, declare_all
from service.broker.topology import Topology
from service.domain.errors import ConfigurationError
from service.supervisor import Backoff

FIRST = 1.0
LONGEST = 30.0
HEARD = 1.0
"""Seconds until consumers everywhere have heard that their queue is gone: RabbitMQ 3.10 hands those
that have not over to a queue of the same name, and they stay deaf."""
INCIDENT = 5.0
"""Whoever finds something missing says so again within this many seconds, while it is."""

log = structlog.get_logger()


class Mender:
    """Shared by the connections of one process, of which one declares at a time."""

    def __init__(self, topology: Topology, *, mended: Callable[[], None]) -> None:
        self._topology = topology
        self._mended = mended
        self._turn = asyncio.Lock()
        self._backoff = Backoff(FIRST, LONGEST, jitter=random.random)
        self._not_before = 0.0
        self._found_at = float("-inf")
        self._told_refusal = False

    async def mend(self, connection: AbstractConnection, found: Damaged) -> str:
        """Declare what is missing, if that may be; tell what is wrong still, or an empty string.

        Raises BrokerUnavailable when the broker does not answer.
        """
        async with self._turn:
            if not self._may_try(asyncio.get_running_loop().time()):
                return str(found)
            try:
                await declare_all(connection, self._topology)
            except Refused:
                self._tell_refusal()
                return str(found)
            except ConfigurationError as error:
                return str(error)
            self._backoff.reset()
            telemetry.BROKER_DECLARED.inc()
            log.warning("broker_declared_anew", reason=str(found))
            self._mended()
            return ""

    async def bind(self, connection: AbstractConnection) -> None:
        """Bind every queue again: a binding that was taken away cannot be seen, only missed."""
        try:
            await bind_all(connection, self._topology)
        except Refused:
            self._tell_refusal()

    def _may_try(self, now: float) -> bool:
        """Not at once, not often, and not all processes at the same time."""
        if now > self._found_at + INCIDENT:
            wait = HEARD * (1 + random.random())  # noqa: S311 - guards nothing
            self._not_before = max(self._not_before, now + wait)
        self._found_at = now
        if now < self._not_before:
            return False
        self._not_before = now + self._backoff.next()
        return True

    def _tell_refusal(self) -> None:
        if not self._told_refusal:
            log.warning("broker_declaring_refused", remedy="orderhook migrate")
        self._told_refusal = True
