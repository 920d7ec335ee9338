"""Events owed to the fold: claimed by state for the broker, taken and finished by the worker."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.store import sql
from service.store.pool import Connection

SQL = sql.load("outbox")

LEASE = timedelta(seconds=10)
"""How far handing an entry to the broker moves its due time: no copy is made sooner."""
RELEASED = timedelta(seconds=1)
"""When an entry whose publish failed is tried again."""
TRAIL = timedelta(seconds=15)
"""How far a watermark stays behind the clock.

While an old transaction keeps dead rows, each claim passes by those of this time. Time-outs end
nearly every transaction before; what one commits later waits for the next full scan."""
PRIORITIES = (1, 5, 9)
"""High, live and backlog, in the order of handing over; the table accepts no others."""


@dataclass(frozen=True, slots=True)
class Entry:
    event_id: UUID
    crashes: int
    solo: bool
    """Must travel in a message of its own, because it is suspected of crashing workers."""
    trace: str | None = None
    """The trace context of the request it came with, where that was sampled; read by `claim`."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """Nothing alive lies below these times; None is the start of the index.

    What lies below is dead rows, which a long transaction elsewhere may keep from being vacuumed.
    """

    due: datetime | None = None
    published: datetime | None = None


@dataclass(frozen=True, slots=True)
class Survey:
    at: datetime
    """Time of the transaction, by the database clock."""
    unfinished: int
    """Entries that are with the broker or a worker, counted up to the cap + 1."""
    watermark: Watermark


async def survey(
    tx: Connection, watermark: Watermark, *, cap: int, passed: datetime | None
) -> Survey:
    """Count what is handed over and unfinished, and find how far the watermark may rise.

    An entry published before `passed` whose lease ran out is not with the broker any more.
    """
    row = await tx.fetchrow(
        SQL["survey"], watermark.due, watermark.published, passed, cap + 1, TRAIL, PRIORITIES
    )
    assert row is not None
    return Survey(row["at"], row["unfinished"], Watermark(row["due"], row["published"]))


async def claim(
    tx: Connection, watermark: Watermark, *, limit: int, passed: datetime | None
) -> list[Entry]:
    """Mark up to `limit` due entries as published now; call it before publishing them.

    Claims what was never published, and again what was published before `passed`: the workers
    have come further than that, so the broker lost it. The publish time is the time of the
    transaction.
    """
    rows = await tx.fetch(SQL["claim"], watermark.due, passed, limit, LEASE, PRIORITIES)
    return [Entry(**row) for row in rows]


async def release(tx: Connection, event_ids: Sequence[UUID], *, published_at: datetime) -> None:
    """Owe entries again at once, since their publish at that time is not known to have worked."""
    await tx.execute(SQL["release"], event_ids, published_at, RELEASED)


async def take(tx: Connection, event_ids: Sequence[UUID]) -> list[Entry]:
    """Lock what is still owed; entries that are gone or in other hands do not come back."""
    return [Entry(**row) for row in await tx.fetch(SQL["take"], event_ids)]


async def finish(tx: Connection, event_ids: Sequence[UUID]) -> None:
    """Owe the entries no longer; `take` them first."""
    await tx.execute(SQL["finish"], event_ids)


async def postpone(
    tx: Connection, event_ids: Sequence[UUID], *, delay: timedelta, crashed: bool
) -> None:
    """Owe the entries again after `delay`; one that crashed its worker travels alone from now."""
    await tx.execute(SQL["postpone"], event_ids, delay, crashed)


async def suspect(tx: Connection, event_ids: Sequence[UUID]) -> None:
    """Owe at once, and alone, what came back from the broker too often: it may crash workers.

    Lying beside a crash proves nothing, so it counts once and never more.
    """
    await tx.execute(SQL["suspect"], event_ids)


async def begin(tx: Connection, event_id: UUID, *, trial: timedelta) -> Entry | None:
    """Count a crash before a suspect is folded alone; commit it, or the crash leaves no trace.

    Until `trial` is over nobody else may try: None when someone does, or when it is gone.
    """
    row = await tx.fetchrow(SQL["begin"], event_id, trial)
    return Entry(**row) if row else None
