"""One limit as one process spends it: pieces of the shared row in, slots for single calls out."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass

from service.domain import budget, clocks
from service.domain.budget import Limit
from service.domain.clocks import Offset
from service.store.budgets import Drawn, Key, News, Taken
from service.store.pool import Pool

PROMISED_FOR = 3.0
"""Seconds in which a call that was let through must have spent what it said."""
VIEW_AGE = 0.25
SOON = 0.02


@dataclass(frozen=True, slots=True)
class Slot:
    """The right to make one call between two moments of the monotonic clock."""

    opens: float
    closes: float
    cost: float
    start: float
    end: float


class Quota(ABC):
    """What both kinds have in common: who waits, what is promised, one question at a time."""

    def __init__(self, key: Key, limit: Limit, *, ruled: bool, pool: Pool) -> None:
        self.key = key
        self.stated = limit
        self.limit = limit
        self._ruled = ruled
        self._pool = pool
        self._lock = asyncio.Lock()
        self._waiting = 0.0
        self._grown = 1.0
        self._promises: deque[tuple[float, float]] = deque()
        self._clocks: Offset | None = None
        self._looked = 0.0
        self._refused_until = {True: 0.0, False: 0.0}
        self.rests_until = 0.0
        """By the monotonic clock; what this process itself heard."""

    async def slot(self, cost: float, *, live: bool) -> Slot | float:
        """A slot, or the seconds after which to ask again."""
        if (rest := self.rests_until - time.monotonic()) > 0:
            return rest
        if (found := self._cut(cost)) is not None:
            return found
        self._waiting += cost
        try:
            async with self._lock:
                return self._cut(cost) or await self._more(cost, live=live)
        finally:
            self._waiting -= cost

    async def _more(self, cost: float, *, live: bool) -> Slot | float:
        if (wait := self._refused_until[live] - time.monotonic()) > 0:
            return wait
        wait = await self._taken(cost, live=live)
        if wait > 0:
            self._refused_until[live] = time.monotonic() + wait
            return wait
        return self._cut(cost) or SOON

    async def forecast(self, cost: float, *, live: bool) -> float:
        """Seconds until a call could start, those counted that were let through before it."""
        now = time.monotonic()
        if (rest := self.rests_until - now) > 0:
            return rest
        if now - self._looked > VIEW_AGE and not self._suffices(cost):
            await self._look(cost, live=live)
        return self._foreseen(cost, live=live)

    def promise(self, cost: float) -> None:
        """A call is let through that will spend this much."""
        self._promises.append((time.monotonic() + PROMISED_FOR, cost))

    def keep_promise(self, cost: float) -> None:
        """It spends now."""
        while cost > 0 and self._promises:
            until, promised = self._promises.popleft()
            if promised > cost:
                self._promises.appendleft((until, promised - cost))
            cost -= promised

    @property
    def _promised(self) -> float:
        now = time.monotonic()
        while self._promises and self._promises[0][0] <= now:
            self._promises.popleft()
        return sum(cost for _, cost in self._promises)

    def _heard(self, found: Taken | Drawn) -> None:
        self._looked = found.after
        self._clocks = clocks.read(
            self._clocks, before=found.before, theirs=found.at, after=found.after
        )
        self.limit = budget.with_ceiling(self.stated, found.ceiling, ruled=self._ruled)

    def _theirs(self, now: float) -> float:
        """The database clock at least."""
        return now + self._clocks.least if self._clocks else 0.0

    @abstractmethod
    def learned(
        self,
        *,
        remaining: float | None,
        ceiling: float | None,
        resets: float | None,
        rests: float | None,
    ) -> News | None:
        """What of an answer's words is news, in seconds from now; None when nothing is."""

    def apart(self, cost: float) -> float:  # noqa: ARG002
        """Seconds between two calls of this price, where that is all there is to wait for."""
        return 0.0

    @abstractmethod
    def put_back(self, slot: Slot) -> None:
        """A slot that was not used."""

    @abstractmethod
    async def close(self) -> None:
        """Return what is unused to the row."""

    @abstractmethod
    def _cut(self, cost: float) -> Slot | None: ...

    @abstractmethod
    async def _taken(self, cost: float, *, live: bool) -> float:
        """Take from the row for all who wait; 0.0 once that is done, else how long to wait."""

    @abstractmethod
    async def _look(self, cost: float, *, live: bool) -> None: ...

    @abstractmethod
    def _suffices(self, cost: float) -> bool: ...

    @abstractmethod
    def _foreseen(self, cost: float, *, live: bool) -> float: ...
