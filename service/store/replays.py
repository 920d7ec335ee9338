"""Stored requests read again: which ones, what they were taken for, and the rows that change."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg

from service.domain import keys
from service.domain.events import Event, Outcome, Statement, Subject
from service.domain.replay import Stand
from service.store import details, events, sql
from service.store.pool import Connection, translate
from service.store.seals import PLAIN, Seals

SQL = sql.load("replays")

STATEMENT_TIMEOUT = 20.0
BACKLOG = 9
"""Replayed events wait behind live ones."""
NO_ID = UUID(int=0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which stored requests are read again: those with a chosen event, and empty ones."""

    source: str | None
    since: datetime | None
    until: datetime | None
    ids: Sequence[UUID] | None
    reasons: Sequence[str]
    """Of dead events."""
    outcomes: Sequence[str]
    empty: bool
    """Whether requests are wanted, too, in which no event was found."""
    last: UUID
    """What came later is not wanted: a replay must not run after new events for ever."""


class Counted(NamedTuple):
    requests: int
    events: int


class Found(NamedTuple):
    """A place in the walk over chosen rows, and the request to read again there."""

    id: UUID
    request_id: UUID


@dataclass(frozen=True, slots=True)
class Stored:
    """A request as it was kept."""

    id: UUID
    source: str
    received_at: datetime
    peer: str
    method: str
    path: str = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


async def count(tx: Connection, wanted: Wanted) -> Counted:
    """How many requests would be read again, for how many chosen events."""
    (row,) = await _fetch(tx, "count", *_filter(wanted))
    empty = await _fetch(tx, "count_empty", *_span(wanted)) if wanted.empty else [{"count": 0}]
    return Counted(row["requests"] + empty[0]["count"], row["events"])


async def page(
    tx: Connection, wanted: Wanted, *, after: UUID, limit: int, but: UUID | None = None
) -> list[Found]:
    """The next chosen events by id, none of the request `but`."""
    rows = await _fetch(tx, "page", *_filter(wanted), after, but, limit)
    return [Found(row["id"], row["request_id"]) for row in rows]


async def page_empty(tx: Connection, wanted: Wanted, *, after: UUID, limit: int) -> list[Found]:
    """The next requests by id in which no event was found."""
    rows = await _fetch(tx, "page_empty", *_span(wanted), after, limit)
    return [Found(row["id"], row["id"]) for row in rows]


@asynccontextmanager
async def trying(tx: Connection) -> AsyncIterator[None]:
    """A part of the transaction that may fail by itself; raises what the driver's error means."""
    try:
        async with tx.transaction():
            yield
    except (asyncpg.PostgresError, UnicodeEncodeError, OverflowError) as error:
        raise translate(error) from error


async def request(tx: Connection, request_id: UUID, *, sealing: Seals = PLAIN) -> Stored | None:
    """A request as it came; raises Sealed where it cannot be opened."""
    found = await tx.fetch(SQL["request"], request_id)
    for row in await sealing.open(tx, found, kind="requests"):
        return Stored(**row)
    return None


async def own(tx: Connection, request_id: UUID) -> list[Event]:
    """The events that were accepted from a request."""
    return [events.read(row) for row in await tx.fetch(SQL["own"], request_id)]


async def lock_own(tx: Connection, request_id: UUID) -> None:
    """Let no other replay at the events of a request."""
    await tx.execute(SQL["lock_own"], request_id)


async def lock_letters(tx: Connection, event_ids: Sequence[UUID]) -> None:
    """Let no redrive and no discard at what is dead of these events."""
    await tx.execute(SQL["lock_letters"], event_ids)


async def stands(tx: Connection, found: Sequence[Event]) -> list[Stand]:
    """Where each event stands now; one that is in no place at all is left out."""
    by_id = {event.id: event for event in found}
    rows = await tx.fetch(SQL["places"], list(by_id))
    places = {row["id"]: _place(row) for row in rows}
    return [Stand(event, *place) for event in found if (place := places.get(event.id)) is not None]


def _place(row: asyncpg.Record) -> tuple[str, bool] | None:
    if row["pending"]:
        return Outcome.PENDING.value, False
    if row["reason"] is not None:
        return row["reason"], True
    return (row["outcome"], False) if row["outcome"] is not None else None


async def known(tx: Connection, source: str, said: Sequence[Statement]) -> set[str]:
    """Those of the statements' dedupe keys that some event of the source has."""
    hashes = {keys.dedupe_hash(source, one.dedupe_key): one.dedupe_key for one in said}
    rows = await tx.fetch(SQL["known"], source, list(hashes))
    return {hashes[row["hash"]] for row in rows}


async def take_out(tx: Connection, event_ids: Sequence[UUID]) -> None:
    """Take events out of the bucket they stand in; lock first, and put them into another."""
    await tx.execute(SQL["resolve"], event_ids)
    await tx.execute(SQL["undecide"], event_ids)
    await tx.execute(SQL["unlist"], event_ids)
    await tx.execute(SQL["orphan"], event_ids)


async def hosts(tx: Connection, event_ids: Sequence[UUID]) -> dict[UUID, Subject]:
    """The subjects that events belong to though they do not name them."""
    rows = await tx.fetch(SQL["hosts"], event_ids)
    return {row["event_id"]: Subject(row["lifecycle"], row["scope"], row["ref"]) for row in rows}


async def followers(
    tx: Connection, subject_ids: Sequence[int], *, source: str, taken_back: Sequence[str]
) -> dict[UUID, int]:
    """Events that are at these subjects only because they take back such events of the source."""
    rows = await tx.fetch(SQL["followers"], subject_ids, source, taken_back)
    return {row["event_id"]: row["root"] for row in rows}


async def rewrite(
    tx: Connection, stored: Stored, said: Mapping[UUID, Statement], *, suspects: Sequence[UUID]
) -> None:
    """Write anew what events state, and owe them to the fold; suspects travel alone."""
    ordered = sorted(said)
    await tx.execute(SQL["rewrite"], ordered, *_columns([said[each] for each in ordered]))
    await tx.execute(
        SQL["redigest"],
        stored.source,
        [keys.dedupe_hash(stored.source, said[each].dedupe_key) for each in ordered],
        [details.digest(said[each]) for each in ordered],
    )
    await tx.execute(SQL["owe"], ordered, BACKLOG, suspects)


async def accept(tx: Connection, stored: Stored, said: Mapping[UUID, Statement]) -> Sequence[UUID]:
    """Accept new events of an old request; tells which keys were still free.

    Sorted by key hash as acceptance sorts them, so that no two writers wait for each other.
    """
    hashes = {each: keys.dedupe_hash(stored.source, said[each].dedupe_key) for each in said}
    ordered = sorted(said, key=lambda each: hashes[each])
    rows = await tx.fetch(
        SQL["accept"],
        stored.source,
        [hashes[each] for each in ordered],
        ordered,
        stored.id,
        stored.received_at,
        [said[each].dedupe_key for each in ordered],
        *_columns([said[each] for each in ordered]),
        BACKLOG,
        [details.digest(said[each]) for each in ordered],
    )
    return [row["event_id"] for row in rows]


async def mark_stale(tx: Connection, subject_ids: Sequence[int]) -> None:
    """Have the next fold of the subjects take all of their events."""
    await tx.execute(SQL["stale"], subject_ids)


def _columns(said: Sequence[Statement]) -> tuple[list[object], ...]:
    return (
        [one.lifecycle for one in said],
        [one.scope for one in said],
        [one.ref for one in said],
        [one.lane for one in said],
        [one.status for one in said],
        [one.code for one in said],
        [one.occurred_at for one in said],
        [one.attributes for one in said],
        [one.fate.value for one in said],
        [one.note for one in said],
        [one.parcel for one in said],
        [details.pack(one) for one in said],
    )


def _span(wanted: Wanted) -> tuple[object, ...]:
    return wanted.source, wanted.since, wanted.until, wanted.last


def _filter(wanted: Wanted) -> tuple[object, ...]:
    return *_span(wanted), wanted.ids, wanted.reasons, wanted.outcomes


async def _fetch(tx: Connection, name: str, *values: object) -> list[Mapping[str, Any]]:
    await tx.fetchval(SQL["bound"], f"{int(STATEMENT_TIMEOUT)}s")
    return [dict(row) for row in await tx.fetch(SQL[name], *values, timeout=STATEMENT_TIMEOUT + 1)]
