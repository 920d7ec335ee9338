"""What time it is by PostgreSQL: a machine whose clock is wrong still signs what others take."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.store.pool import Pool, session
from service.supervisor import pause

log = structlog.get_logger()

ASK = "SELECT clock_timestamp()"
EVERY = 15.0
"""Seconds between two questions."""
LOOK = 1.0
AGREE = timedelta(seconds=2)
"""By how much our clocks may differ in what has passed since the last answer."""
WRONG = timedelta(seconds=30)
"""By how much the machine's clock may differ from PostgreSQL's until somebody is told."""


class Clock:
    """Counts on from PostgreSQL's last answer; before there was one, it is the machine's own."""

    def __init__(
        self,
        pool: Pool,
        *,
        wall: Callable[[], datetime],
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._wall = wall
        self._elapsed = elapsed
        self._known: tuple[datetime, datetime, float] | None = None
        """PostgreSQL's time, the machine's time and the seconds of its own count, at one moment."""
        self.in_doubt = True
        self._told = False

    def __call__(self) -> datetime:
        """The time now, in UTC; where a clock was set, or the machine slept, it is asked soon."""
        if self._known is None:
            return self._wall()
        theirs, ours, count = self._known
        passed = timedelta(seconds=self._elapsed() - count)
        if abs(self._wall() - ours - passed) > AGREE:
            self.in_doubt = True
        return theirs + passed

    async def ask(self) -> None:
        """Raises StoreUnavailable."""
        before = self._elapsed()
        async with session(self._pool) as connection:
            theirs: datetime = await connection.fetchval(ASK)
        after = self._elapsed()
        # It is a moment old when it comes: half of the way there and back, for what is known.
        theirs += timedelta(seconds=(after - before) / 2)
        ours = self._wall()
        self._known = theirs, ours, after
        self.in_doubt = False
        self._tell(theirs - ours)

    async def keep(self, stop: asyncio.Event) -> None:
        """Ask again and again, and soon when in doubt; while PostgreSQL is away others tell."""
        asked = self._elapsed()
        while not stop.is_set():
            supervisor.beat()
            if self.in_doubt or self._elapsed() >= asked + EVERY:
                try:
                    await self.ask()
                    asked = self._elapsed()
                except StoreUnavailable as error:
                    log.debug("clock_not_asked", reason=str(error))
            await pause(stop, LOOK)

    def _tell(self, off: timedelta) -> None:
        wrong = abs(off) > WRONG
        if wrong and not self._told:
            log.warning(
                "clock_wrong",
                behind_seconds=round(off.total_seconds(), 1),
                remedy="let the machine's clock follow a time server",
            )
        self._told = wrong
