"""A limit of a day or more in one process: few units at a time go in, slots for calls come out."""

import time
from dataclasses import replace

from service.domain import budget
from service.domain.budget import Limit
from service.store import budgets
from service.store.budgets import Drawn, Key, News
from service.store.pool import Pool
from service.worker.quotas import PROMISED_FOR, SOON, Quota, Slot

MOST_DRAWN = 16.0
SAME_RESET = 60.0
"""Seconds by which two answers about the same reset may differ."""


class Stock(Quota):
    """A limit of a day or more: it may be spent at any speed, and is gone when it is gone."""

    def __init__(self, key: Key, limit: Limit, *, ruled: bool, pool: Pool) -> None:
        super().__init__(key, limit, ruled=ruled, pool=pool)
        self._free = 0.0
        self._used = 0.0
        self._resets_at: float | None = None
        self._rests_at = 0.0

    def learned(
        self,
        *,
        remaining: float | None,
        ceiling: float | None,
        resets: float | None,
        rests: float | None,
    ) -> News | None:
        news = News(rests=rests, ceiling=ceiling if ceiling != self.limit.count else None)
        now = self._theirs(time.monotonic())
        if resets is not None and abs(now + resets - (self._resets_at or 0.0)) > SAME_RESET:
            news = replace(news, resets=resets)
        if remaining is not None:
            count = ceiling or self.limit.count
            used = budget.corrected(self._used, ceiling=count, remaining=remaining)
            if abs(used - self._used) >= 1:
                self._used = used
                news = replace(news, used=used)
        return news if news != News() else None

    def put_back(self, slot: Slot) -> None:
        self._free += slot.cost

    async def close(self) -> None:
        free, self._free = self._free, 0.0
        if free > 0 and self._resets_at is not None:
            await budgets.undraw(self._pool, self.key, free, resets_at=self._resets_at)

    def _cut(self, cost: float) -> Slot | None:
        now = time.monotonic()
        if self._resets_at is not None and self._theirs(now) >= self._resets_at:
            self._free, self._resets_at = 0.0, None
        if self._free < cost:
            return None
        self._free -= cost
        return Slot(now, now + PROMISED_FOR, cost, 0.0, 0.0)

    async def _taken(self, cost: float, *, live: bool) -> float:
        few = min(MOST_DRAWN, self.limit.count / 1000)
        units = max(cost, self._waiting, min(self._grown, few))
        found = await self._ask(units, live=live)
        if not found.granted and units > cost:
            units = cost
            found = await self._ask(units, live=live)
        if not found.granted:
            return self._until_more(found.at)
        self._free += units
        self._grown = min(units * 2, MOST_DRAWN)
        return 0.0

    async def _look(self, cost: float, *, live: bool) -> None:  # noqa: ARG002
        await self._ask(0.0, live=live)

    async def _ask(self, units: float, *, live: bool) -> Drawn:
        allowance = budget.allowance(self.limit, live=live)
        limit = self.stated
        found = await budgets.draw(self._pool, self.key, units, allowance=allowance, limit=limit)
        if found is None:
            await budgets.make_known(self._pool, self.key.destination, [limit])
            found = await budgets.draw(
                self._pool, self.key, units, allowance=allowance, limit=limit
            )
        assert found is not None
        self._heard(found)
        if found.resets_at != self._resets_at:
            self._free = 0.0
        self._used, self._resets_at = found.used, found.resets_at
        self._rests_at = found.rests_until or 0.0
        return found

    def _until_more(self, now: float) -> float:
        until = max(self._rests_at, self._resets_at or 0.0 if self._rests_at <= now else 0.0)
        return max(until - now, SOON)

    def _suffices(self, cost: float) -> bool:
        return self._free >= cost + self._promised

    def _foreseen(self, cost: float, *, live: bool) -> float:
        now = self._theirs(time.monotonic())
        if self._suffices(cost):
            return 0.0
        wanted = cost + self._promised - self._free + self._used
        room = wanted <= budget.allowance(self.limit, live=live)
        return 0.0 if room and self._rests_at <= now else self._until_more(now)
