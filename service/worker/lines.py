"""A limit of less than a day in one process: pieces of its line go in, slots for calls come out."""

import time
from collections import deque
from dataclasses import replace

from service.domain import budget
from service.domain.budget import Limit, Pace
from service.store import budgets
from service.store.budgets import Key, News, Taken, Wish
from service.store.pool import Pool
from service.worker.quotas import SOON, Quota, Slot

USABLE = 0.8
"""What part of the slack may be gone when a piece is handed out."""
LIVE_HOLD = 1.0
"""Seconds for which the rest takes nothing after live work had to wait."""


class Line(Quota):
    """A limit of less than a day; what was taken and not used in time is lost, harmlessly."""

    def __init__(self, key: Key, limit: Limit, *, ruled: bool, pool: Pool) -> None:
        super().__init__(key, limit, ruled=ruled, pool=pool)
        self._free: deque[tuple[float, float]] = deque()
        self._largest = 1.0
        self._lost = False
        self._start = 0.0
        self._live_until = 0.0

    @property
    def pace(self) -> Pace:
        return budget.pace(self.limit, largest=self._largest)

    def learned(
        self,
        *,
        remaining: float | None,
        ceiling: float | None,
        resets: float | None,
        rests: float | None,
    ) -> News | None:
        news = News(rests=rests, ceiling=ceiling if ceiling != self.limit.count else None)
        if remaining is None or rests is not None:
            pass
        elif self.limit.leaky:
            taken = budget.debt(self.pace, remaining)
            # Our own line says as much most of the time.
            if taken > self._start - self._theirs(time.monotonic()) + self.pace.slack:
                news = replace(news, taken=taken)
        elif budget.is_used_by_others(self.limit, remaining):
            period = self.limit.period.total_seconds()
            news = replace(news, rests=min(period, resets) if resets else period)
        return news if news != News() else None

    def apart(self, cost: float) -> float:
        return cost * self.pace.spacing

    def put_back(self, slot: Slot) -> None:
        start, end = slot.start, slot.end
        if self._free and abs(self._free[0][0] - end) < 1e-6:
            end = self._free.popleft()[1]
        self._free.appendleft((start, end))

    async def close(self) -> None:
        while self._free:
            start, end = self._free.pop()
            now = self._theirs(time.monotonic())
            if end > now:
                await budgets.untake(self._pool, self.key, end=end, start=max(start, now))

    def _cut(self, cost: float) -> Slot | None:
        """The first piece that still is in time; what is not is dropped."""
        self._largest = max(self._largest, cost)
        if self._clocks is None:
            return None
        pace, now = self.pace, time.monotonic()
        # What closes at once could never be used.
        late = now + self._clocks.most - pace.slack * USABLE
        while self._free:
            start, end = self._free.popleft()
            self._lost = self._lost or start < late
            piece = budget.cut(pace, max(start, late), cost)
            if piece.end <= end + 1e-6:
                if end - piece.end > 1e-6:
                    self._free.appendleft((piece.end, end))
                opens, closes = self._clocks.ours(piece.opens), piece.closes - self._clocks.most
                # Clocks that differ too much to tell must not stop everything.
                closes = max(closes, opens + pace.slack / 2)
                return Slot(opens, closes, cost, piece.start, piece.end)
        return None

    async def _taken(self, cost: float, *, live: bool) -> float:
        pace = self.pace
        most = max(cost, budget.most_at_once(pace))
        units = max(cost, min(max(self._waiting, self._grown), most))
        found = await self._ask(cost, units, live=live)
        if not found.granted:
            return self._foreseen_wait(found, cost, live=live)
        end = found.start + units * pace.spacing
        if self._free and abs(self._free[-1][1] - found.start) < 1e-6:
            self._free.append((self._free.pop()[0], end))
        else:
            self._free.append((found.start, end))
        self._grown = 1.0 if self._lost else min(units * 2, most)
        self._lost = False
        self._start = end
        return 0.0

    async def _look(self, cost: float, *, live: bool) -> None:
        await self._ask(cost, 0.0, live=live)

    async def _ask(self, cost: float, units: float, *, live: bool) -> Taken:
        pace = self.pace
        wish = Wish(
            units,
            pace.spacing,
            budget.reach(pace, cost, live=live),
            live,
            budget.reach(pace, cost, live=False),
            LIVE_HOLD,
        )
        found = await budgets.take(self._pool, self.key, wish)
        if found is None:
            await budgets.make_known(self._pool, self.key.destination, [self.stated])
            found = await budgets.take(self._pool, self.key, wish)
        assert found is not None
        self._heard(found)
        self._start, self._live_until = found.start, found.live_until or 0.0
        return found

    def _foreseen_wait(self, found: Taken, cost: float, *, live: bool) -> float:
        wait = found.start - found.at - budget.reach(self.pace, cost, live=live)
        if not live and found.live_until is not None:
            wait = max(wait, found.live_until - found.at)
        return max(wait, SOON)

    def _suffices(self, cost: float) -> bool:
        spacing = self.pace.spacing
        return sum(end - start for start, end in self._free) >= (cost + self._promised) * spacing

    def _foreseen(self, cost: float, *, live: bool) -> float:
        pace, now = self.pace, self._theirs(time.monotonic())
        start = self._free[0][0] if self._free else self._start
        start = max(start, now) + self._promised * pace.spacing
        wait = budget.opens_in(pace, start, cost, now=now)
        if not live and not self._free:
            wait = max(wait, self._live_until - now)
        return wait
