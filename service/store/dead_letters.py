"""Dead letters are rows: what a person must look at, with the reason in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from service.domain.verdict import DeadLetter
from service.store import ids, sql
from service.store.lookups import readings
from service.store.pool import Connection

SQL = sql.load("dead_letters")

MOST_ATTEMPTS = 50
"""Shown of one letter, the last ones."""

Row = Mapping[str, Any]
Kind = Literal["event", "sync"]
Resolution = Literal["redriven", "discarded", "superseded"]
KINDS: tuple[Kind, ...] = ("event", "sync")
RESOLUTIONS: tuple[Resolution, ...] = ("redriven", "discarded", "superseded")

STATEMENT_TIMEOUT = "5s"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which dead letters: all that fit every part that is given."""

    kind: str | None = None
    destination: str | None = None
    reason: str | None = None
    source: str | None = None
    """Of the event; a sync has none."""
    subject: str | None = None
    """As people write it: `order/1001`, `order/shop-eu:1001`."""
    ids: tuple[UUID, ...] | None = None


async def bury_events(tx: Connection, dead: Mapping[UUID, DeadLetter]) -> None:
    """Open a dead letter for each event; one that is open already is refreshed."""
    if dead:
        ordered = sorted(dead)
        await tx.execute(
            SQL["bury_events"],
            [ids.new_id() for _ in ordered],
            ordered,
            [dead[event_id].reason.value for event_id in ordered],
            [dead[event_id].summary for event_id in ordered],
        )


async def bury_syncs(tx: Connection, dead: Mapping[int, DeadLetter], *, destination: str) -> None:
    """Open a dead letter for each subject whose change this destination will not take."""
    if dead:
        ordered = sorted(dead)
        await tx.execute(
            SQL["bury_syncs"],
            [ids.new_id() for _ in ordered],
            destination,
            ordered,
            [dead[subject_id].reason.value for subject_id in ordered],
            [dead[subject_id].summary for subject_id in ordered],
        )


async def supersede_syncs(tx: Connection, owed: Sequence[tuple[int, str]]) -> None:
    """Close what is dead for these (subject, destination): a newer version is owed instead."""
    await tx.execute(
        SQL["supersede_syncs"], [subject for subject, _ in owed], [name for _, name in owed]
    )


async def queues(tx: Connection) -> list[Row]:
    """Open letters counted by where they wait and why, each cause with its last letter."""
    await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
    return [dict(row) for row in await tx.fetch(SQL["queues"])]


async def letters(
    tx: Connection,
    wanted: Selection,
    *,
    before: UUID | None,
    limit: int,
    closed: Resolution | None = None,
) -> list[Row]:
    """Open letters, or those that were closed so, the newest first."""
    await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
    rows = await tx.fetch(SQL["letters"], *_filters(wanted), before, limit, closed)
    return [dict(row) for row in rows]


async def redriven(tx: Connection, letter_ids: Sequence[UUID]) -> dict[UUID, int]:
    """How often what these letters stand for was driven again before they came."""
    return {row["id"]: row["times"] for row in await tx.fetch(SQL["redriven"], letter_ids)}


async def letter(tx: Connection, letter_id: UUID) -> Row | None:
    """One letter, open or closed."""
    row = await tx.fetchrow(SQL["letter"], letter_id)
    return dict(row) if row else None


async def attempts(tx: Connection, letter_ids: Sequence[UUID]) -> dict[UUID, list[Row]]:
    """The exchanges behind letters of syncs, in their order."""
    found: dict[UUID, list[Row]] = {letter_id: [] for letter_id in letter_ids}
    for row in await tx.fetch(SQL["attempts"], letter_ids, MOST_ATTEMPTS):
        found[row["letter_id"]].append(dict(row))
    return found


async def unknown(tx: Connection, letter_ids: Sequence[UUID]) -> list[UUID]:
    """Those of these ids that no letter ever had."""
    known = {row["id"] for row in await tx.fetch(SQL["known"], letter_ids)}
    return [letter_id for letter_id in letter_ids if letter_id not in known]


async def count(tx: Connection, wanted: Selection) -> tuple[int, int]:
    """How many letters match, and for how many of them nothing would be written."""
    row = await tx.fetchrow(SQL["count"], wanted.ids, *_filters(wanted))
    assert row is not None
    return row["matched"], row["already_right"]


async def any_open(tx: Connection, wanted: Selection, *, until: UUID) -> bool:
    """Whether a letter that matches is left, locked by others or not."""
    return bool(await tx.fetchval(SQL["open"], wanted.ids, *_filters(wanted), until))


async def take(
    tx: Connection, wanted: Selection, *, kind: Kind, after: UUID | None, until: UUID, limit: int
) -> list[UUID]:
    """Lock open letters of one kind, and their syncs, leaving out what others hold."""
    return [
        row["id"]
        for row in await tx.fetch(
            SQL[f"take_{kind}s"], wanted.ids, *_filters(wanted), until, after, limit
        )
    ]


async def redrive(tx: Connection, letter_ids: Sequence[UUID], *, kind: Kind) -> int:
    """Close letters taken before and owe again what they stood for; returns what is owed."""
    return int(await tx.fetchval(SQL[f"redrive_{kind}s"], letter_ids))


async def discard(tx: Connection, letter_ids: Sequence[UUID], *, kind: Kind, why: str) -> int:
    """Close letters taken before and owe nothing for them any more; returns how many changed."""
    return int(await tx.fetchval(SQL[f"discard_{kind}s"], letter_ids, why))


async def fates(tx: Connection, *, since: datetime) -> tuple[int, int]:
    """Of what was redriven since then: how much is still owed, and how much is dead again."""
    row = await tx.fetchrow(SQL["fates"], since)
    assert row is not None
    return row["owed"], row["dead"]


def _filters(wanted: Selection) -> tuple[str | None, ...]:
    lifecycle, whole, scope, ref = readings(wanted.subject)
    return (
        *(wanted.kind, wanted.destination, wanted.reason, wanted.source),
        *(lifecycle, whole, scope, ref),
    )
