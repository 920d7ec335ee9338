"""A fold and a pump of one process in surroundings as simple as they can be."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, Generic, TypeVar

from service.domain.events import Subject
from service.domain.routing import Route
from service.settings import Destination
from service.store import outbox, pool
from service.store.acceptance import Arrival, accept
from service.store.ids import new_id
from service.store.pool import Pool
from service.worker import sync
from service.worker.crms.base import Answer, Crm
from service.worker.delivery.pump import Pump, hand_on
from service.worker.fold import Fold
from service.worker.rules import Rules

C = TypeVar("C", bound=Crm)


class Open:
    """A gate; shut, it lets nothing through. Remembers what it was told."""

    def __init__(self) -> None:
        self.shut = False
        self.reports: list[tuple[Subject, Answer]] = []
        self.forgone = 0

    async def leases(self, most: int) -> int:
        return 0 if self.shut else most

    async def admits(self, most: int) -> int:
        return 0 if self.shut else most

    async def report(self, answers: Sequence[tuple[Subject, Answer]]) -> None:
        self.reports += answers

    async def forgo(self) -> None:
        self.forgone += 1


class Free:
    """A budget; with `wait` set, nothing may be spent."""

    def __init__(self) -> None:
        self.wait = 0.0
        self.foreseen: Sequence[Mapping[str, float]] = ()
        self.asked: list[bool] = []
        self.rested: list[tuple[str | None, timedelta | None]] = []

    async def ready(self, *, live: bool, calls: Sequence[Mapping[str, float]] = ()) -> float:
        self.asked.append(live)
        self.foreseen = calls
        return self.wait

    def open_bill(self) -> list[Mapping[str, float]]:
        return []

    def rest(self, scope: str | None, after: timedelta | None) -> None:
        self.rested.append((scope, after))


class Station(Generic[C]):
    """A fold and a pump of one process."""

    def __init__(self, db: Pool, crm: C, rule: Destination, *, routes: Sequence[Route]) -> None:
        self.db = db
        self.crm = crm
        self.gate, self.budget = Open(), Free()
        self.pump = Pump(rule, crm, pool=db, gate=self.gate, budget=self.budget)
        pumps: Mapping[str, Pump] = {"crm": self.pump}
        rules = Rules(routes=routes, leases={"crm": sync.lease_time(rule)})
        self.fold = Fold(db, rules, hand_on=hand_on(pumps))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Station[C]"]:
        stop = asyncio.Event()
        runs = (self.pump.find, self.pump.start, self.pump.record)
        tasks = [asyncio.create_task(run(stop)) for run in runs]
        try:
            yield self
        finally:
            if isinstance(door := getattr(self.crm, "gate", None), asyncio.Event):
                door.set()
            stop.set()
            async with asyncio.timeout(10):
                await asyncio.gather(*tasks)

    async def happen(self, *events: Any) -> None:
        await accepted(self.db, events)
        await self.fold.fold([one.id for one in events])


async def accepted(db: Pool, events: Sequence[Any]) -> None:
    arrivals = [
        Arrival(new_id(), one.source, one.received_at, "", "POST", "/", "", {}, b"{}", [one])
        for one in events
    ]
    await accept(db, arrivals, process=new_id(), published=False, lease=outbox.LEASE)


async def rows(db: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.session(db) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 10) -> None:
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.02)


async def until_states(db: Pool, *expected: tuple[Any, ...], within: float = 10) -> None:
    query = "SELECT state, count(*) FROM syncs GROUP BY 1 ORDER BY 1"

    async def reached() -> bool:
        return await rows(db, query) == list(expected)

    await until(reached, within=within)
