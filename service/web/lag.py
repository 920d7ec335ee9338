"""How late the event loop is: timers go in, whether new work should be put off comes out."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

EVERY = 0.05
"""Seconds between two looks."""


@dataclass(slots=True)
class Lag:
    """Late twice in a row is overloaded; once is a hiccup that is over already."""

    limit: float
    clock: Callable[[], float] = time.monotonic
    """Not the loop's own clock, which may stand still within one turn of it."""
    _late: tuple[float, float] = (0.0, 0.0)
    _due: float = field(default=float("inf"))

    @property
    def seconds(self) -> float:
        """The lesser of the two last delays; one that goes on counts as soon as it is longer."""
        earlier, last = self._late
        overdue = self.clock() - self._due
        return min(last, overdue) if overdue > self.limit else min(earlier, last)

    @property
    def overloaded(self) -> bool:
        return self.seconds > self.limit

    def expect(self) -> None:
        """The next look is due in `EVERY` seconds."""
        self._due = self.clock() + EVERY

    def look(self) -> None:
        """Note how much later than it was due this look is."""
        self._late = (self._late[1], max(0.0, self.clock() - self._due))

    async def watch(self) -> None:
        while True:
            self.expect()
            await asyncio.sleep(EVERY)
            self.look()
