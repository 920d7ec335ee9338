"""Acceptance: one statement makes requests, dedupe keys, events and outbox entries durable."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from service.domain import keys
from service.domain.events import Event, Fate
from service.store import anomalies, details, seals, sql
from service.store.pool import Pool, session
from service.store.seals import PLAIN, Kept, Seals

SQL = sql.load("acceptance")

T = TypeVar("T")
Key = tuple[str, bytes]
"""The source of an event, and the hash of its dedupe key."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A verified request and the events found in it, not yet durable."""

    id: UUID
    source: str
    received_at: datetime
    peer: str
    method: str
    path: str = field(repr=False)
    query: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    events: Sequence[Event]
    trace: str | None = None
    """The trace context its outbox entries keep; None when it is not sampled."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a commit made durable; every event of the batch not in `fresh` was known before."""

    at: datetime
    """Time of the transaction, by the database clock."""
    fresh: frozenset[UUID]


async def accept(
    pool: Pool,
    arrivals: Sequence[Arrival],
    *,
    process: UUID,
    published: bool,
    lease: timedelta,
    sealing: Seals = PLAIN,
) -> Accepted:
    """Store a batch in one round trip and one commit.

    Rows are sorted by (source, key hash), so that two writers never deadlock. With `published`
    the entries count as handed to the broker and fall due again only after `lease`. A known key
    that says something else now is noted, at the cost of a second round trip.
    """
    events, disputed = _unique(arrivals)
    traced = traces(arrivals)
    kept = await _sealed(pool, arrivals, sealing)
    async with session(pool) as connection:
        row = await connection.fetchrow(
            SQL["accept"],
            *_stated(events, _request_of(arrivals)),
            _unusual([event.id in disputed for event in events.values()], usual=False),
            published,
            lease,
            list(traced),
            list(traced.values()),
            *_requests(arrivals, kept),
            process,
        )
    assert row is not None
    if row["clashing_events"]:
        clashes = zip(row["clashing_sources"], row["clashing_events"], strict=True)
        await anomalies.note_key_conflicts(pool, list(clashes))
    return Accepted(at=row["at"], fresh=frozenset(row["fresh"]))


def traces(arrivals: Iterable[Arrival]) -> dict[UUID, str]:
    """The trace contexts of those events that came with a sampled request."""
    return {
        event.id: arrival.trace
        for arrival in arrivals
        if arrival.trace is not None
        for event in arrival.events
    }


async def tally(pool: Pool, counts: Mapping[str, tuple[int, int]], *, process: UUID) -> None:
    """Add (refused, unavailable) requests to the tallies of each source."""
    async with session(pool) as connection:
        await connection.execute(
            SQL["tally"],
            process,
            list(counts),
            [refused for refused, _ in counts.values()],
            [unavailable for _, unavailable in counts.values()],
        )


def _unique(arrivals: Iterable[Arrival]) -> tuple[dict[Key, Event], set[UUID]]:
    """The events to insert, sorted by key, and which of them this batch contradicts."""
    first: dict[Key, Event] = {}
    disputed = set()
    for arrival in arrivals:
        for event in arrival.events:
            hashed = keys.dedupe_hash(event.source, event.statement.dedupe_key)
            known = first.setdefault((event.source, hashed), event)
            if known is not event and _clash(known, event):
                disputed.add(known.id)
    return {key: first[key] for key in sorted(first)}, disputed


def _clash(known: Event, event: Event) -> bool:
    said = {details.digest(known.statement), details.digest(event.statement)}
    return len(said) > 1 and None not in said


def _request_of(arrivals: Iterable[Arrival]) -> Mapping[UUID, UUID]:
    return {event.id: arrival.id for arrival in arrivals for event in arrival.events}


def _stated(
    unique: Mapping[Key, Event], request_of: Mapping[UUID, UUID]
) -> tuple[Sequence[object], ...]:
    """What every event says, and the request it came with, column by column."""
    events = list(unique.values())
    said = [event.statement for event in events]
    packed = [details.pack(s) for s in said]
    return (
        [source for source, _ in unique],
        [hashed for _, hashed in unique],
        [event.id for event in events],
        [request_of[event.id] for event in events],
        [s.dedupe_key for s in said],
        [s.lifecycle for s in said],
        _unusual([s.scope for s in said], usual=""),
        [s.ref for s in said],
        _unusual([s.parcel for s in said], usual=None),
        [s.lane for s in said],
        [s.status for s in said],
        [s.code for s in said],
        [s.occurred_at for s in said],
        [event.received_at for event in events],
        _unusual([s.attributes for s in said], usual={}),
        _unusual([s.fate for s in said], usual=Fate.FOLD),
        _unusual([s.note for s in said], usual=""),
        _unusual(packed, usual={}),
        [details.digest(*each) for each in zip(said, packed, strict=True)],
    )


async def _sealed(pool: Pool, arrivals: Sequence[Arrival], sealing: Seals) -> list[Kept]:
    """Seal with the key of today, whenever they came: that of an older day may be erased."""
    name = await sealing.ready(pool, seals.today())
    return [sealing.seal(each, name, context=f"requests/{each.id}") for each in arrivals]


def _requests(arrivals: Sequence[Arrival], kept: Sequence[Kept]) -> tuple[list[object], ...]:
    held = [each.content for each in kept]
    return (
        [a.id for a in arrivals],
        [a.source for a in arrivals],
        [a.received_at for a in arrivals],
        [a.peer for a in arrivals],
        [a.method for a in arrivals],
        _unusual([one.path for one in held], usual=""),
        _unusual([one.query for one in held], usual=""),
        _unusual([dict(one.headers) for one in held], usual={}),
        [one.body for one in held],
        [one.sealed_with for one in kept],
        _unusual([not a.events for a in arrivals], usual=False),
    )


def _unusual(column: list[T], *, usual: T) -> list[T]:
    """Nothing where a column says the usual of all; the statement knows what that is."""
    return [] if column.count(usual) == len(column) else column
