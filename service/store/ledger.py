"""Every row the ledger's two equations speak of, counted a span of keys at a time.

Each row is lawful or out of place by itself, so spans that balance add up to a ledger that
balances, and a span is short whatever an installation holds.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from service.store import spools, sql
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("ledger")

STATEMENT_TIMEOUT = 30
"""Seconds; one span takes some milliseconds."""
ROWS = 10_000
"""Of one span."""
LISTED = 100
"""How many rows that are out of place are named; one is enough to be unbalanced."""

Row = Mapping[str, Any]
Key = UUID | int


class Space(StrEnum):
    """Rows that one key orders."""

    EVENTS = "events"
    SYNCS = "syncs"
    REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class Span:
    """The rows of a space whose keys are greater than `after` and not greater than `upto`."""

    space: Space
    after: Key
    upto: Key


LEAST, GREATEST = UUID(int=0), UUID(int=(1 << 128) - 1)
WHOLE: Mapping[Space, Span] = {
    Space.EVENTS: Span(Space.EVENTS, LEAST, GREATEST),
    Space.SYNCS: Span(Space.SYNCS, -(1 << 63), (1 << 63) - 1),
    Space.REQUESTS: Span(Space.REQUESTS, LEAST, GREATEST),
}


@dataclass(frozen=True, slots=True)
class Part:
    """What was counted in one span: by source, or by destination, and what is out of place."""

    rows: Sequence[Row]
    misplaced_events: Sequence[Row] = ()
    strays: Sequence[Row] = ()
    contradictions: Sequence[Row] = ()

    @property
    def empty(self) -> bool:
        return not (self.rows or self.misplaced_events or self.strays or self.contradictions)


@dataclass(frozen=True, slots=True)
class Rest:
    """What is no span: rows that are gone, requests that left none, and what gateways hold."""

    at: datetime
    totals: Sequence[Row]
    tallies: Sequence[Row]
    spools: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Counted:
    """All of some spaces in one snapshot."""

    rest: Rest
    parts: Mapping[Space, Sequence[Part]] = field(default_factory=dict)


async def bound(tx: Connection) -> None:
    """No statement of this transaction goes over a span more than once, or on for too long."""
    await tx.fetchval(SQL["bound"], f"{STATEMENT_TIMEOUT}s")


async def whole(pool: Pool, spaces: Collection[Space] = tuple(Space)) -> Counted:
    """Count everything as of one moment; raises StoreUnavailable when a span takes too long."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await bound(tx)
        found = await rest(tx)
        return Counted(found, {space: [one async for one in _all(tx, space)] for space in spaces})


async def _all(tx: Connection, space: Space) -> AsyncIterator[Part]:
    left = WHOLE[space]
    while (first := await first_of(tx, left, ROWS)) is not None:
        yield await part(tx, first)
        left = Span(space, first.upto, left.upto)
    yield await part(tx, left)


async def first_of(tx: Connection, span: Span, rows: int) -> Span | None:
    """The beginning of a span, with a row more than `rows`; None if it has no more than those."""
    cut = await tx.fetchval(SQL[f"{span.space}_after"], span.after, rows)
    return None if cut is None else Span(span.space, span.after, cut)


async def last_of(tx: Connection, span: Span, rows: int) -> Span | None:
    """The end of a span, so many rows; None if it has no more than those."""
    cut = await tx.fetchval(SQL[f"{span.space}_before"], span.upto, rows)
    return None if cut is None else Span(span.space, cut, span.upto)


async def part(tx: Connection, span: Span) -> Part:
    match span.space:
        case Space.EVENTS:
            rows = await _fetch(tx, "sources", span)
            strayed = any(row["misplaced"] for row in rows)
            misplaced = await _fetch(tx, "misplaced_events", span, LISTED) if strayed else []
            return Part(rows, misplaced, await _fetch(tx, "strays", span, LISTED))
        case Space.SYNCS:
            rows = await _fetch(tx, "destinations", span)
            return Part(rows, contradictions=await _fetch(tx, "contradictions", span, LISTED))
        case Space.REQUESTS:
            return Part(await _fetch(tx, "requests", span))


async def rest(tx: Connection) -> Rest:
    at = await tx.fetchval(SQL["now"])
    totals, tallies = await tx.fetch(SQL["totals"]), await tx.fetch(SQL["tallies"])
    return Rest(at, [*map(dict, totals)], [*map(dict, tallies)], await spools.listed(tx))


async def _fetch(tx: Connection, name: str, span: Span, *values: object) -> Sequence[Row]:
    within = STATEMENT_TIMEOUT + 1
    return [
        dict(row)
        for row in await tx.fetch(SQL[name], span.after, span.upto, *values, timeout=within)
    ]
