"""What is due in the database goes in: retries, and what others left behind; tickets come out."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.domain.routing import PRIORITIES
from service.settings import Destination
from service.store import syncs
from service.store.pool import session
from service.store.syncs import CLASSES
from service.supervisor import pause
from service.worker import sync
from service.worker.delivery.station import Station, set_when

POLL_BUSY = 0.2
POLL_IDLE = 0.5
HIGH = (PRIORITIES["high"],)
NEAR = 500
"""So many are waited for in this process at the most, before more are looked for."""
MOST = 1000
"""Leased at a time: what waits longer than its lease runs was leased in vain."""
REVIVED = 500


class Finder:
    """Leases only while calls may be made, and only what will soon be called about."""

    def __init__(self, station: Station) -> None:
        self._station = station
        self._revived: Destination | None = None

    async def run(self, stop: asyncio.Event) -> None:
        station = self._station
        watch = asyncio.create_task(set_when(stop, station.again))
        try:
            while not stop.is_set():
                supervisor.beat()
                station.again.clear()
                found = await self._look()
                if not stop.is_set():
                    await pause(station.again, POLL_BUSY if found else POLL_IDLE)
        finally:
            watch.cancel()

    async def _look(self) -> int:
        station = self._station
        await self._revive()
        rule, waiting = station.rule, len(station.waiting)
        near = min(rule.concurrency * station.batch, max(NEAR, 2 * station.batch))
        most = min(near * 4, MOST)
        if waiting < min(near, rule.window):
            return await self._claim(min(rule.window - waiting, most))
        found = await self._claim(most, classes=HIGH)
        await self._hurry()
        return found

    async def _claim(self, room: int, *, classes: Sequence[int] = CLASSES) -> int:
        station, rule = self._station, self._station.rule
        most = await station.gate.leases(room)
        if most <= 0:
            return 0
        since = time.monotonic()
        try:
            async with session(station.pool) as tx:
                leases = await syncs.claim(
                    tx, rule.name, limit=most, lease=sync.lease_time(rule), classes=classes
                )
        except StoreUnavailable:
            return 0
        station.more = len(leases) >= most
        station.waiting.add(leases, since=since, limit=rule.window)
        station.work.set()
        return len(leases)

    async def _hurry(self) -> None:
        """What turned out to be urgent while it waited here goes to the front."""
        station = self._station
        subjects = station.waiting.later_than(HIGH[-1])
        with suppress(StoreUnavailable):
            async with session(station.pool) as tx:
                found = await syncs.urgent(tx, station.rule.name, subjects, classes=HIGH)
            station.waiting.hurry(found)

    async def _revive(self) -> None:
        """Once for each rule without shadow: what was held in shadow is owed again."""
        rule = self._station.rule
        if rule.shadow or rule is self._revived:
            return
        with suppress(StoreUnavailable):
            async with session(self._station.pool) as tx:
                if await syncs.revive(tx, rule.name, limit=REVIVED) < REVIVED:
                    self._revived = rule
