"""Owed entries come out of the outbox, messages go to the broker, as far as the window allows."""

import asyncio
from datetime import datetime

import structlog

from service import supervisor, tracing
from service.broker.base import Broker
from service.broker.publisher import Publisher, split
from service.broker.topology import Topology
from service.broker.window import WINDOW, Window
from service.domain.errors import StoreUnavailable
from service.faultpoint import faultpoint
from service.store import outbox
from service.store.outbox import Entry
from service.store.pool import Pool, transaction
from service.supervisor import Backoff, pause

log = structlog.get_logger()

IN_FLIGHT = 64
"""Messages whose confirms are waited for; a queue on disk confirms many as soon as one."""
POLL = 0.02
"""Seconds between claims; none after one of half a window: much is due, and taken fast."""
IDLE = 0.5
"""Seconds between looks while nothing is due."""
FAILING = 5.0
"""Seconds between tries while PostgreSQL or the broker does not take part."""


class Relay:
    """Any number of relays may run: a claim skips what another one has locked."""

    def __init__(
        self, broker: Broker, topology: Topology, pool: Pool, *, window: int = WINDOW
    ) -> None:
        self._broker = broker
        self._pool = pool
        self._publisher = Publisher(
            broker, topology.work, pool=pool, road="relay", at_once=IN_FLIGHT
        )
        self._window = Window([topology.work], size=window)
        self._much = max(1, window // 2)

    async def run(self, stop: asyncio.Event) -> None:
        """Hand over what is due, until stopped; publishes that are under way are finished."""
        idle, failing = Backoff(POLL, IDLE), Backoff(IDLE, FAILING)
        while not stop.is_set():
            supervisor.beat()
            match await self._round():
                case None:
                    await pause(stop, failing.next())
                case 0:
                    failing.reset()
                    await pause(stop, idle.next())
                case count:
                    failing.reset()
                    idle.reset()
                    await pause(stop, 0 if count >= self._much else POLL)

    async def _round(self) -> int | None:
        """Return how many entries were handed over; None when that did not work."""
        if not self._broker.open:
            return 0
        try:
            published_at, entries = await self._claim()
        except StoreUnavailable as error:
            log.warning("relay_waits_for_store", reason=str(error))
            return None
        faultpoint("relay.claimed")
        traces = {entry.event_id: entry.trace for entry in entries if entry.trace is not None}
        with tracing.carrying(traces):
            confirmed = await self._publisher.publish(split(entries), published_at)
        return len(entries) if confirmed else None

    async def _claim(self) -> tuple[datetime, list[Entry]]:
        """Commit the claim before anything is published: no lock is held over the network."""
        async with transaction(self._pool) as tx:
            view = await self._window.look(tx)
            if not view.room:
                return view.at, []
            claimed = await outbox.claim(tx, view.watermark, limit=view.room, passed=view.passed)
        return view.at, claimed
