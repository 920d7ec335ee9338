"""A connection to a broker that lost something goes in; what was lost is declared anew."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog
from aio_pika.abc import AbstractConnection

from service import telemetry
from service.broker.declaration import (
    Damaged,
    Leaderless,
    Refused,
    bind_all,
    declare_all,
    remove_leaderless,
)
from service.broker.topology import Topology
from service.domain.errors import ConfigurationError
from service.supervisor import Backoff

FIRST = 1.0
LONGEST = 30.0
HEARD = 1.0
"""Seconds until consumers everywhere have heard that their queue is gone: RabbitMQ 3.10 hands those
that have not over to a queue of the same name, and they stay deaf."""
GONE = 10.0
"""Seconds without a leader until a queue that has no process is deleted."""
SILENT = 300.0
"""The same for one that may have a process: nodes of a cluster may still be on their way."""
FORGET = 30.0
"""Who finds a queue without a leader says so again within this many seconds, while it is."""
INCIDENT = 5.0
"""Whoever finds something missing says so again within this many seconds, while it is."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Absence:
    """When a queue was found without a leader, on the clock of the loop."""

    first: float
    last: float

    @property
    def lasted(self) -> float:
        return self.last - self.first


class Mender:
    """Shared by the connections of one process, of which one declares at a time."""

    def __init__(self, url: str, topology: Topology, *, mended: Callable[[], None]) -> None:
        self._url = url
        self._topology = topology
        self._mended = mended
        self._turn = asyncio.Lock()
        self._backoff = Backoff(FIRST, LONGEST, jitter=random.random)
        self._not_before = 0.0
        self._found_at = float("-inf")
        self._leaderless: dict[str, Absence] = {}
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

    async def give_up(self, found: Leaderless) -> None:
        """Delete a queue that has been without a leader for long: the next look declares it.

        Raises BrokerUnavailable when the broker does not answer.
        """
        async with self._turn:
            absence = self._absence(found, asyncio.get_running_loop().time())
            if absence.lasted < (GONE if found.gone else SILENT):
                return
            del self._leaderless[found.queue]
            try:
                if await remove_leaderless(self._url, found.queue, silent=not found.gone):
                    log.warning("broker_queue_deleted", queue=found.queue, reason=str(found))
            except Refused:
                self._tell_refusal()

    def led(self) -> None:
        """Every queue has its leader."""
        self._leaderless.clear()

    def _absence(self, found: Leaderless, now: float) -> "Absence":
        known = self._leaderless.get(found.queue)
        if known is None or now > known.last + FORGET:
            known = Absence(first=now, last=now)
        self._leaderless[found.queue] = absence = replace(known, last=now)
        return absence

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
