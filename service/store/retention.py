"""What is past its time leaves: events page by page, their days by partition, keys by stretch.

Whatever the ledger counts leaves in the transaction that adds it to `ledger_totals`. A day is
detached by a plain DETACH, because PostgreSQL has no concurrent one beside a default partition;
nobody waits for it longer than DETACH_PATIENCE.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import structlog

from service.domain.events import Subject
from service.store import ids, seals, sql
from service.store.partitions import TABLES
from service.store.pool import Connection, Pool, session, transaction
from service.store.seals import Content, Sealed, Seals

log = structlog.get_logger()

SQL = sql.load("retention")

MOST_KEPT = 5000
"""Rows that are moved out of a day before it goes; a day with more stays until they are fewer."""
DETACH_PATIENCE = "150ms"
COUNTING = 120.0
BATCH = 1000
KEY_TABLES = tuple(f"dedupe_keys_{part}" for part in range(8))
KEY_BLOCKS = 256
IDS: Mapping[str, str] = {"event_outcomes": "event_id"}
"""The column that orders a table, where it is not `id`."""
LATE = ("requests", "transitions", "attempts")
"""Tables whose default partition holds what was kept, and is not emptied event by event."""

Done = Literal["dropped", "kept", "busy"]


@dataclass(frozen=True, slots=True)
class Aged:
    """An event past its time, locked."""

    id: UUID
    settled: bool
    """Whether it stands in a bucket that only a fold or a replay could move it from."""
    folded: bool
    subject: Subject | None


@dataclass(frozen=True, slots=True)
class Day:
    """One partition of one table."""

    parent: str
    name: str

    @property
    def date(self) -> str:
        return self.name.rpartition("_")[2]


@dataclass(frozen=True, slots=True)
class Due:
    """What is past its time now, and what was purged before."""

    events: int
    settled: int
    requests: int
    days: Sequence[Day]
    purged_requests: int
    purged_events: int
    bases: int


async def now(pool: Pool) -> datetime:
    """The earlier of the database clock and ours: neither alone can make everything too old."""
    async with session(pool) as connection:
        at: datetime = await connection.fetchval(SQL["now"])
    return min(at, datetime.fromtimestamp(ids.made_at(ids.new_id()), UTC))


async def my_turn(tx: Connection) -> bool:
    """Whether no other process is at it in this moment."""
    return bool(await tx.fetchval(SQL["turn"]))


async def page(tx: Connection, *, after: UUID, until: UUID, limit: int) -> list[Aged]:
    """Lock the next events past their time."""
    rows = await tx.fetch(SQL["page"], after, until, limit)
    return [
        Aged(
            row["id"],
            row["settled"],
            row["folded"],
            Subject(row["lifecycle"], row["scope"], row["ref"]) if row["ref"] else None,
        )
        for row in rows
    ]


async def leave(tx: Connection, event_ids: Sequence[UUID]) -> None:
    """Delete events and what was decided about them, and freeze how they were counted."""
    if event_ids:
        await tx.execute(SQL["leave"], event_ids)


async def days(pool: Pool, *, before: datetime) -> list[Day]:
    """The partitions of whole days before, the oldest first."""
    async with session(pool) as connection:
        rows = await connection.fetch(SQL["partitions"], list(TABLES))
    found = (Day(row["parent"], row["name"]) for row in rows)
    limit = seals.day(before)
    # Requests last: what they are kept for is known once the events are gone.
    ordered = sorted(found, key=lambda day: (day.date, day.parent == "requests", day.parent))
    return [day for day in ordered if day.date.isdigit() and day.date < limit]


async def drop(pool: Pool, day: Day, sealing: Seals, *, most: int = MOST_KEPT) -> Done:
    """Drop a day, after what must stay was moved out of it; all of it or nothing."""
    key = await sealing.ready(pool, seals.KEPT) if day.parent == "requests" else None
    async with transaction(pool) as tx:
        if not await my_turn(tx):
            return "busy"
        await tx.execute(_of(day, "settle_down"))
        kept = await _kept(tx, day, most=most + 1)
        if len(kept) > most:
            return "kept"
        if day.parent == "requests":
            await _reseal(tx, day, kept, sealing, key)
            await tx.execute(_of(day, "freeze_requests"), kept, timeout=COUNTING)
        await tx.fetchval(SQL["patience"], DETACH_PATIENCE)
        await tx.execute(_of(day, "detach"))
        await tx.execute(_of(day, "move"), kept)
        await tx.execute(_of(day, "drop"))
    return "dropped"


async def clear_default(pool: Pool, table: str, *, until: UUID) -> int:
    """Delete what was kept beyond its day and is not needed any more; a batch at a time."""
    day = Day(table, f"{table}_default")
    async with transaction(pool) as tx:
        if not await my_turn(tx):
            return 0
        kept = await _kept(tx, day, most=None)
        return int(await tx.fetchval(SQL[f"late_{table}"], until, kept, BATCH))


async def forget_letters(pool: Pool, *, before: datetime) -> int:
    """Delete dead letters that were closed long ago; a batch at a time."""
    async with session(pool) as connection:
        return int(await connection.fetchval(SQL["closed_letters"], before, BATCH))


async def key_blocks(pool: Pool, table: str) -> int:
    async with session(pool) as connection:
        return int(await connection.fetchval(SQL["key_blocks"], table))


async def forget_keys(pool: Pool, table: str, *, block: int, before: datetime) -> int:
    """Delete the dedupe keys past their time of one stretch of a table."""
    statement = SQL["old_keys"].replace("{name}", table)
    stretch = f"({block},0)", f"({block + KEY_BLOCKS},0)"
    async with session(pool) as connection:
        return int(await connection.fetchval(statement, *stretch, before))


async def forget_data_keys(pool: Pool, *, before: datetime) -> int:
    """Erase the data keys of days before: what backups hold of them opens no more."""
    async with session(pool) as connection:
        return len(await connection.fetch(seals.SQL["forget"], seals.day(before)))


async def due(pool: Pool, *, until: datetime) -> Due:
    """Count what is past its time, and what has left."""
    last = ids.first_id(until)
    past = await days(pool, before=until)
    async with transaction(pool, readonly=True) as tx:
        events = await tx.fetchrow(SQL["due"], last, timeout=COUNTING)
        totals = await tx.fetchrow(SQL["totals"])
        assert events is not None
        assert totals is not None
        return Due(
            events=events["events"],
            settled=events["settled"],
            requests=await tx.fetchval(SQL["due_requests"], last, timeout=COUNTING),
            days=past,
            purged_requests=totals["requests"],
            purged_events=totals["events"],
            bases=await tx.fetchval(SQL["bases"]),
        )


async def _kept(tx: Connection, day: Day, *, most: int | None) -> list[UUID]:
    statement = _of(day, f"kept_{day.parent}")
    return [row["id"] for row in await tx.fetch(statement, most, timeout=COUNTING)]


async def _reseal(
    tx: Connection, day: Day, kept: Sequence[UUID], sealing: Seals, key: str | None
) -> None:
    """Seal what outlives its day with a key that does so, too."""
    if key is None:
        return
    rows = await tx.fetch(_of(day, "sealed"), kept, key)
    for row in rows:
        try:
            (plain,) = await sealing.open(tx, [row], kind="requests")
        except Sealed as error:
            log.warning("request_not_kept_readable", request_id=str(row["id"]), reason=str(error))
            continue
        parts = Content(plain["path"], plain["query"], plain["headers"], plain["body"])
        made = sealing.seal(parts, key, context=f"requests/{row['id']}").content
        await tx.execute(
            _of(day, "seal"), row["id"], made.path, made.query, made.headers, made.body, key
        )


def _of(day: Day, block: str) -> str:
    """The statement about this partition; both names come from the catalogue."""
    return (
        SQL[block]
        .replace("{name}", day.name)
        .replace("{parent}", day.parent)
        .replace("{key}", IDS.get(day.parent, "id"))
    )


def first_kept(at: datetime, period: timedelta) -> datetime:
    """The start of the first day that stays whole."""
    return (at - period).replace(hour=0, minute=0, second=0, microsecond=0)
