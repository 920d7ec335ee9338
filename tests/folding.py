"""A fold on a real PostgreSQL: events are accepted as the gateway would, and folded at once."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from types import MappingProxyType
from typing import Any
from uuid import UUID

from asyncpg.connection import LoggedQuery

from service.domain.events import Alias, Event, Subject
from service.domain.names import Name
from service.domain.routing import Route
from service.ops import ledger
from service.store import aliases, outbox, partitions, pool, subjects
from service.store.acceptance import Arrival, accept
from service.store.ids import new_id
from service.store.pool import Connection, Pool
from service.worker import names
from service.worker.fold import Fold, Held
from service.worker.rules import Rules
from tests import make

TO_CRM = (Route(["*"], ["*"], ["crm"]),)
RULES = Rules(routes=TO_CRM, leases={"crm": timedelta(seconds=30)})
TRACKING = "tracking:cdek"


def tracking(value: str) -> Alias:
    return Alias(TRACKING, value)


def named(value: str) -> Name:
    return Name("order", TRACKING, value)


def courier(value: str, status: str = "delivered", **said: Any) -> Event:
    """The courier knows only its tracking number."""
    usual = {
        "source": "cdek",
        "ref": None,
        "aliases": (tracking(value),),
        "lane": "delivery",
        "status": status,
        "occurred_at": make.at(50),
    }
    return make.event(id=new_id(), **{**usual, **said})


def shop(ref: str, *values: str, **said: Any) -> Event:
    """The shop knows its order and the tracking numbers it got for it."""
    usual = {"ref": ref, "aliases": tuple(map(tracking, values)), "occurred_at": make.at(1)}
    return make.event(id=new_id(), **{**usual, **said})


class Desk:
    """One database and folds on it."""

    def __init__(self, db: Pool, rules: Rules = RULES) -> None:
        self.db = db
        self.rules = rules
        self.held: list[Held] = []

    def worker(self, db: Any = None) -> Fold:
        return Fold(db or self.db, self.rules, hand_on=self.held.append)

    async def accept(self, *events: Event) -> list[UUID]:
        arrivals = [
            Arrival(new_id(), one.source, one.received_at, "", "POST", "/", "", {}, b"{}", [one])
            for one in events
        ]
        await accept(self.db, arrivals, process=new_id(), published=False, lease=outbox.LEASE)
        return [one.id for one in events]

    async def happen(self, *events: Event) -> None:
        """Accept and fold, one event after the other, and whatever is released by that."""
        for event in events:
            await self.worker().fold(await self.accept(event))
        await self.settle()

    async def settle(self) -> None:
        """Fold until nothing is owed that is due."""
        while due := await self.column("SELECT event_id FROM outbox WHERE due_at <= now()"):
            await self.worker().fold(due)

    async def link(self, alias: Alias, ref: str, *, kind: Any = "operator") -> None:
        name = Subject("order", "", ref)
        async with pool.transaction(self.db) as tx:
            await aliases.lock(tx, "order", [alias])
            row = (await subjects.lock_present(tx, [name]))[name]
            await names.link(tx, alias, row, kind=kind, claimant="anna")

    async def unlink(self, alias: Alias, ref: str) -> bool:
        name = Subject("order", "", ref)
        async with pool.transaction(self.db) as tx:
            await aliases.lock(tx, "order", [alias])
            row = (await subjects.lock_present(tx, [name]))[name]
            done = await names.unlink(tx, alias, row, rules=self.rules, actor="anna")
            return done != "nobody"

    async def merge(self, loser: str, winner: str) -> None:
        gone, stays = Subject("order", "", loser), Subject("order", "", winner)
        async with pool.transaction(self.db) as tx:
            rows = await subjects.lock_present(tx, [gone, stays])
            decided = {"actor": "anna", "reason": "Ordered twice."}
            await names.merge(tx, rows[stays], rows[gone], rules=self.rules, **decided)

    async def statuses(self) -> dict[str, str]:
        found = await self.table("SELECT ref, status FROM subjects WHERE merged_into IS NULL")
        return dict(found)

    async def outcomes(self) -> dict[str, int]:
        """The ledger's buckets that are not empty; it must balance."""
        body = await ledger.read(self.db)
        assert body["balanced"], body["misplaced"]
        return {name: count for name, count in body["totals"].items() if count}

    async def one(self, query: str, *values: Any) -> Any:
        async with pool.session(self.db) as connection:
            return await connection.fetchval(query, *values)

    async def column(self, query: str, *values: Any) -> list[Any]:
        return [row[0] for row in await self.table(query, *values)]

    async def table(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        async with pool.session(self.db) as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]


class Watched:
    """A pool whose every query is told; what is told may end the connection."""

    def __init__(self, db: Pool, tell: Callable[[Connection, str, Sequence[Any]], None]) -> None:
        self._db = db
        self._tell = tell

    @asynccontextmanager
    async def acquire(self, *, timeout: float) -> AsyncIterator[Connection]:  # noqa: ASYNC109
        async with self._db.acquire(timeout=timeout) as connection:

            def tell(said: LoggedQuery) -> None:
                self._tell(connection, said.query, said.args)

            connection.add_query_logger(tell)
            try:
                yield connection
            finally:
                connection.remove_query_logger(tell)


@asynccontextmanager
async def desk(
    dsn: str,
    *,
    size: int = 4,
    rules: Rules = RULES,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Desk]:
    async with pool.opened(dsn, size=size, settings=settings) as opened:
        await partitions.ensure(opened)
        yield Desk(opened, rules)


def shuffled(events: Sequence[Event], chance: Any) -> list[Event]:
    return list(chance.sample(list(events), len(events)))
