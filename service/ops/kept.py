"""A costly value in; the last one that was read out, and read anew while somebody looks at it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.supervisor import pause

log = structlog.get_logger()

T = TypeVar("T")

LEAST = 2.0
"""Seconds between two readings, at least."""
TIMES = 20
"""And at least so many times as long as the last one took: people must not slow the work down."""
LOOKS_LAST = 45.0
"""Seconds somebody who looked is taken to look still."""
READING = 40.0
"""Seconds one reading may take; its statements are bounded by themselves."""


@dataclass(slots=True)
class Kept(Generic[T]):
    """One value for all who look; `run` is a supervised task of the process."""

    name: str
    read: Callable[[], Awaitable[T]]
    gist: Callable[[T], object] = repr
    """What two values differ by, should they be worth looking at anew."""
    value: T | None = None
    problem: str | None = None
    """Why the last reading failed; the value is an older one then."""
    number: int = 0
    """Another one, and there is something new to look at."""
    took: float = 0.0
    _gist: object = None
    _until: float = 0.0
    _read_at: float = float("-inf")
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    def look(self) -> T | None:
        """What is known; nothing before the first reading."""
        self._until = asyncio.get_running_loop().time() + LOOKS_LAST
        self._looked.set()
        return self.value

    @property
    def stale(self) -> bool:
        """Whether it was not read for some time, so that a newer value is on its way."""
        due = max(LEAST, TIMES * self.took) + self.took
        return asyncio.get_running_loop().time() - self._read_at > due + LEAST

    async def run(self, stop: asyncio.Event) -> None:
        clock = asyncio.get_running_loop().time
        while not stop.is_set():
            if clock() >= self._until:
                self._looked.clear()
                await either(self._looked, stop)
                continue
            began = clock()
            supervisor.beat()
            await self.refresh()
            self._read_at = clock()
            self.took = self._read_at - began
            await pause(stop, max(LEAST, TIMES * self.took))

    async def refresh(self) -> None:
        """Read it once."""
        before = (self._gist, self.problem)
        try:
            self.value = await self.read()
            self._gist, self.problem = self.gist(self.value), None
        except StoreUnavailable as error:
            self.problem = str(error)
            log.info("figures_not_read", figures=self.name, reason=self.problem)
        self.number += before != (self._gist, self.problem)


async def either(first: asyncio.Event, second: asyncio.Event) -> None:
    """Wait for either, without being watched: there is nothing to do until then."""
    supervisor.idle()
    waits = [asyncio.ensure_future(each.wait()) for each in (first, second)]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
