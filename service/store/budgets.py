"""Rows of shared budgets: what a worker wants to spend goes in, what it may comes out.

Every statement is one look at the database clock and one change; `epoch` seconds are by that clock.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from service.domain.budget import Limit
from service.store import sql
from service.store.pool import Pool, session

SQL = sql.load("budgets")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Key:
    """One limit of one destination."""

    destination: str
    name: str


@dataclass(frozen=True, slots=True)
class Wish:
    """A piece of the line that is wanted."""

    units: float
    """0: only look."""
    spacing: float
    reach: float
    live: bool
    calm: float
    """Seconds from now within which live work does not count as waiting."""
    hold: float
    """Seconds for which the rest then takes nothing."""


@dataclass(frozen=True, slots=True)
class Taken:
    """The line as it was found; `start` is where the piece begins, or would have begun.

    `at` lies between the moments `before` and `after` of this process's monotonic clock.
    """

    granted: bool
    at: float
    start: float
    live_until: float | None
    ceiling: float | None
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Drawn:
    """A stock after it was asked."""

    granted: bool
    at: float
    used: float
    ceiling: float | None
    resets_at: float | None
    rests_until: float | None
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class News:
    """What was learned about a limit; seconds are from now, None is: nothing."""

    rests: float | None = None
    taken: float | None = None
    """The line is taken for so long."""
    ceiling: float | None = None
    resets: float | None = None
    used: float | None = None


def both(old: News | None, new: News) -> News:
    """Two pieces of news as one: the newer counts, the longer rest."""
    if old is None:
        return new
    said = {field.name: getattr(new, field.name) for field in fields(News)}
    known = {name: value for name, value in said.items() if value is not None}
    rests = max(old.rests or 0.0, new.rests or 0.0) or None
    return replace(old, **{**known, "rests": rests})


async def make_known(pool: Pool, destination: str, limits: Sequence[Limit]) -> None:
    """Keep a row for each limit, with what people should know of it."""
    async with session(pool) as connection:
        await connection.execute(
            SQL["known"],
            destination,
            [limit.name for limit in limits],
            [limit.count for limit in limits],
            [limit.period for limit in limits],
        )


async def take(pool: Pool, key: Key, wish: Wish) -> Taken | None:
    """Take the next piece of the line, if it begins soon enough; None when there is no row."""
    async with session(pool) as connection:
        before = time.monotonic()
        row = await connection.fetchrow(
            SQL["take"],
            key.destination,
            key.name,
            wish.units,
            wish.spacing,
            wish.reach,
            wish.live,
            wish.calm,
            wish.hold,
        )
        return Taken(**row, before=before, after=time.monotonic()) if row else None


async def draw(
    pool: Pool, key: Key, units: float, *, allowance: float, limit: Limit
) -> Drawn | None:
    """Draw from a stock if no more than `allowance` is gone then; None when there is no row."""
    async with session(pool) as connection:
        before = time.monotonic()
        row = await connection.fetchrow(
            SQL["draw"], key.destination, key.name, units, allowance, limit.period
        )
        return Drawn(**row, before=before, after=time.monotonic()) if row else None


async def untake(pool: Pool, key: Key, *, end: float, start: float) -> None:
    """Put a piece back that nobody used."""
    async with session(pool) as connection:
        await connection.execute(SQL["untake"], key.destination, key.name, end, start)


async def undraw(pool: Pool, key: Key, units: float, *, resets_at: float) -> None:
    """Put back into a stock what nobody used."""
    async with session(pool) as connection:
        await connection.execute(SQL["undraw"], key.destination, key.name, units, resets_at)


async def learn(pool: Pool, key: Key, news: News) -> None:
    async with session(pool) as connection:
        await connection.execute(
            SQL["learn"],
            key.destination,
            key.name,
            news.rests,
            news.taken,
            news.ceiling,
            news.resets,
            news.used,
        )


async def of(pool: Pool, destinations: Sequence[str]) -> list[Row]:
    """The limits of destinations as people should see them."""
    async with session(pool) as connection:
        return [dict(row) for row in await connection.fetch(SQL["all"], destinations)]
