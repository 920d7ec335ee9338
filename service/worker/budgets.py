"""The shared budget of one destination as one process spends it: costs in, admitted calls out."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import ContextVar
from datetime import timedelta

import structlog

from service import telemetry
from service.domain import budget
from service.domain.budget import Hint, Limit, Rule
from service.domain.errors import StoreUnavailable
from service.store import budgets
from service.store.budgets import Key, News
from service.store.pool import Pool
from service.worker.crms.client import Clock
from service.worker.lines import Line
from service.worker.quotas import SOON, Quota, Slot
from service.worker.stocks import Stock

log = structlog.get_logger()

PATIENCE = 1.0
"""Seconds a call waits for what it costs before it is given up for now."""
LONGEST_PATIENCE = 5.0
"""Where calls lie seconds apart: who read a record must get to write it, or has read in vain."""
FORESIGHT = 0.3
"""A call may be prepared so many seconds before it can be paid."""
LONGEST = {True: 0.5, False: 2.0}
"""Seconds after which the pump should ask again, for what is live and for the rest."""
WRITE_AFTER = 0.2
WRITE_EVERY = 1.0
AWAY = timedelta(seconds=1)
ONE: Sequence[Mapping[str, float]] = ({"requests": 1.0},)

_LIVE: ContextVar[bool] = ContextVar("live", default=False)
"""Whether what this task calls is live: a call inherits it from the task that let it through."""
_BILL: ContextVar[list[Mapping[str, float]] | None] = ContextVar("bill", default=None)


class Budget:
    """Implements `Spending`. Without limits nothing here touches the database.

    It is built before its adapter (`Tools.spending`) and told the limits afterwards.
    """

    def __init__(self, destination: str, *, pool: Pool, clock: Clock) -> None:
        self.destination = destination
        self._pool = pool
        self._clock = clock
        self._quotas: dict[str, Quota] = {}
        self._rests_until = 0.0
        self._refused_until = {True: 0.0, False: 0.0}
        self._news: dict[str, News] = {}
        self._writing: asyncio.Task[None] | None = None
        self._written = 0.0

    def adopt(self, limits: Sequence[Limit], rules: Mapping[str, Rule]) -> None:
        """Go by what the adapter states (`crm.limits()`), and by `rule.limits` where that differs.

        To be called after each build and reload.
        """
        wanted = budget.effective(limits, rules)
        present = self._quotas
        self._quotas = {
            name: present[name]
            if name in present and present[name].stated == limit
            else self._quota(limit, ruled=name in rules)
            for name, limit in wanted.items()
        }

    def _quota(self, limit: Limit, *, ruled: bool) -> Quota:
        kind = Stock if budget.is_stock(limit) else Line
        return kind(Key(self.destination, limit.name), limit, ruled=ruled, pool=self._pool)

    async def ready(self, *, live: bool, calls: Sequence[Mapping[str, float]] = ONE) -> float:
        """0.0: calls may begin; else the seconds to wait before asking again, two at most.

        Ask before the most urgent work is taken. `calls` is what they will spend one after the
        other, one request unless told. Calls started from this task afterwards count as live
        (or not) until it is asked again.
        """
        _LIVE.set(live)
        wait = max(self._rests_until, self._refused_until[live]) - time.monotonic()
        try:
            for quota, cost in self._wanted(_dearest(calls)):
                wait = max(wait, await quota.forecast(cost, live=live))
        except StoreUnavailable:
            return LONGEST[True]
        if wait > FORESIGHT:
            return min(max(wait - FORESIGHT, SOON), LONGEST[live])
        for call in calls:
            for quota, cost in self._wanted(call):
                quota.promise(cost)
        return 0.0

    def open_bill(self) -> list[Mapping[str, float]]:
        """What calls of this task spend from now on is noted there, call by call."""
        bill: list[Mapping[str, float]] = []
        _BILL.set(bill)
        return bill

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
        """Pay before a call, waiting up to a second; or how long there is nothing to spend."""
        wanted = self._wanted(costs)
        if (bill := _BILL.get()) is not None:
            bill.append(costs)
        begun = time.monotonic()
        try:
            wait = await self._paid(wanted, until=begun + self._patience(wanted))
        except StoreUnavailable:
            return AWAY
        if wait is not None:
            for quota, cost in wanted:
                quota.keep_promise(cost)
            telemetry.CRM_THROTTLED.labels(self.destination).inc()
            self._refuse(wait)
        telemetry.BUDGET_WAIT_SECONDS.labels(self.destination).inc(time.monotonic() - begun)
        return wait

    def _patience(self, wanted: Sequence[tuple[Quota, float]]) -> float:
        """Two calls' worth, within reason."""
        apart = max((quota.apart(cost) for quota, cost in wanted), default=0.0)
        return max(PATIENCE, min(2 * apart, LONGEST_PATIENCE))

    def _refuse(self, wait: timedelta) -> None:
        """What was let through and could not pay will come again at once: not faster than this."""
        until = time.monotonic() + min(wait.total_seconds(), PATIENCE) + FORESIGHT
        for live in (False, True) if _LIVE.get() else (False,):
            self._refused_until[live] = max(self._refused_until[live], until)

    async def _paid(
        self, wanted: Sequence[tuple[Quota, float]], *, until: float
    ) -> timedelta | None:
        live = _LIVE.get()
        while True:
            now = time.monotonic()
            wait, slots = self._rests_until - now, []
            for quota, cost in wanted:
                if wait > 0:
                    break
                found = await quota.slot(cost, live=live)
                if isinstance(found, Slot):
                    quota.keep_promise(cost)
                    slots.append((quota, found))
                else:
                    wait = found
            opens = max((slot.opens for _, slot in slots), default=0.0)
            now = time.monotonic()
            if wait <= 0 and opens <= until:
                await _sleep(opens - now)
                if all(slot.closes >= time.monotonic() for _, slot in slots):
                    return None
            _put_back(slots)
            if now + max(wait, opens - now) > until:
                return timedelta(seconds=max(wait, opens - now))
            await _sleep(wait)

    def _wanted(self, costs: Mapping[str, float]) -> list[tuple[Quota, float]]:
        """Always in one order."""
        return [
            (self._quotas[name], cost)
            for name, cost in sorted(costs.items())
            if cost > 0 and name in self._quotas
        ]

    def learn(self, hints: Sequence[Hint]) -> None:
        """Take in what an answer said about limits; it is written to the shared row soon."""
        for hint in hints:
            if (quota := self._quotas.get(hint.limit)) is not None:
                self._take_in(quota, hint)

    def rest(self, scope: str | None, after: timedelta | None) -> None:
        """An answer was RATE: let the limit `scope` rest, or all of them when it is None."""
        chosen = [self._quotas[scope]] if scope in self._quotas else list(self._quotas.values())
        for quota in chosen:
            seconds = budget.rest_after(quota.limit, after).total_seconds()
            self._note(quota, News(rests=seconds))
        if not chosen:
            seconds = min(after or budget.USUAL_REST, budget.DAY).total_seconds()
            self._rests_until = max(self._rests_until, time.monotonic() + seconds)

    def _take_in(self, quota: Quota, hint: Hint) -> None:
        now = self._clock()
        rests = (hint.rests_until - now).total_seconds() if hint.rests_until else None
        resets = (hint.resets_at - now).total_seconds() if hint.resets_at else None
        news = quota.learned(
            remaining=hint.remaining, ceiling=hint.ceiling, resets=resets, rests=rests
        )
        if news is not None:
            self._note(quota, news)

    def _note(self, quota: Quota, news: News) -> None:
        name = quota.key.name
        if news.rests is not None:
            quota.rests_until = max(quota.rests_until, time.monotonic() + news.rests)
        self._news[name] = budgets.both(self._news.get(name), news)
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_soon(urgent=news.rests is not None))

    async def _write_soon(self, *, urgent: bool) -> None:
        due = 0.0 if urgent else self._written + WRITE_EVERY - time.monotonic()
        await asyncio.sleep(max(WRITE_AFTER, due))
        self._writing = None
        await self._write()

    async def _write(self) -> None:
        news, self._news = self._news, {}
        self._written = time.monotonic()
        try:
            for name, known in sorted(news.items()):
                await budgets.learn(self._pool, Key(self.destination, name), known)
        except StoreUnavailable as error:
            log.warning("budget_not_written", destination=self.destination, error=str(error))

    async def close(self) -> None:
        """Write what was learned and return what was leased and is unused; on shutdown."""
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None
        with suppress(StoreUnavailable):
            await self._write()
            for quota in self._quotas.values():
                await quota.close()


def _dearest(calls: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Of each limit the most that one call spends."""
    most: dict[str, float] = {}
    for call in calls:
        for name, cost in call.items():
            most[name] = max(cost, most.get(name, 0.0))
    return most


def _put_back(slots: Sequence[tuple[Quota, Slot]]) -> None:
    for quota, slot in slots:
        quota.put_back(slot)
        quota.promise(slot.cost)


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await asyncio.sleep(seconds)
