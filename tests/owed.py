"""Owed work: what tests put into the outbox, and a fold that finishes it and remembers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

from service.domain.errors import StoreUnavailable
from service.store import outbox, pool
from service.store.ids import new_id
from service.store.pool import Connection, Pool

SOON = 10.0


async def owe(
    tx: Connection,
    count: int = 1,
    *,
    due: float = 0.0,
    priority: int = 5,
    published: float | None = None,
    solo: bool = False,
) -> list[UUID]:
    """Insert entries due, and published, so many seconds from now."""
    ids = [new_id() for _ in range(count)]
    await tx.execute(
        """
        INSERT INTO outbox (event_id, priority, due_at, published_at, solo)
        SELECT id, $2, now() + $3::float8 * interval '1 s', now() + $4::float8 * interval '1 s', $5
        FROM unnest($1::uuid[]) AS id
        """,
        ids,
        priority,
        due,
        published,
        solo,
    )
    return ids


async def owe_in(store: Pool, count: int = 1, *, solo: bool = False) -> list[UUID]:
    async with pool.session(store) as tx:
        return await owe(tx, count, solo=solo)


async def age(store: Pool, seconds: float) -> None:
    """Let so much time pass for everything that was published."""
    async with pool.session(store) as tx:
        await tx.execute(
            """
            UPDATE outbox SET published_at = published_at - $1 * interval '1 s',
                              due_at = due_at - $1 * interval '1 s'
            WHERE published_at IS NOT NULL
            """,
            seconds,
        )


async def count(store: Pool, where: str = "true") -> int:
    async with pool.session(store) as tx:
        return int(await tx.fetchval(f"SELECT count(*) FROM outbox WHERE {where}"))


async def eventually(condition: Callable[[], Awaitable[bool]], *, within: float = SOON) -> None:
    """Return when the condition holds; TimeoutError when it never does."""
    async with asyncio.timeout(within):
        while True:
            if await condition():
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*runs: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run these until the block ends, and let them stop by themselves."""
    stop = asyncio.Event()

    async def call(run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
        await run(stop)

    tasks = [asyncio.create_task(call(run)) for run in runs]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(SOON):
            await asyncio.gather(*tasks)


class Folding:
    """A fold that finishes entries and remembers the ids of every call; it waits while closed."""

    def __init__(self, store: Pool) -> None:
        self._store = store
        self.open = asyncio.Event()
        self.open.set()
        self.calls: list[list[UUID]] = []
        self.finished: list[UUID] = []
        self.failures: list[Exception] = []

    async def fold(self, event_ids: Sequence[UUID]) -> None:
        self.calls.append(list(event_ids))
        await self.open.wait()
        if self.failures:
            raise self.failures.pop(0)
        async with pool.transaction(self._store) as tx:
            taken = [entry.event_id for entry in await outbox.take(tx, event_ids)]
            await outbox.finish(tx, taken)
        self.finished += taken

    async def has_finished(self, event_ids: Sequence[UUID]) -> bool:
        return set(event_ids) <= set(self.finished)


def away() -> StoreUnavailable:
    return StoreUnavailable("PostgreSQL cannot answer now.")
