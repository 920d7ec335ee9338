"""Events as they were accepted, and what the fold decided about each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from uuid import UUID

import asyncpg

from service.domain.events import Event, Fate, Outcome, Statement, Subject
from service.store import sql
from service.store.pool import Connection

SQL = sql.load("events")

Outcomes = Mapping[UUID, tuple[Outcome, str]]
"""Event id to its bucket and the sentence that says why."""


async def load(tx: Connection, event_ids: Sequence[UUID]) -> list[Event]:
    """The events with these ids, in no order."""
    rows = await tx.fetch(SQL["load"], event_ids)
    return [replace(read(row), request_id=row["request_id"]) for row in rows]


async def requests(tx: Connection, event_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The request each of these events came with."""
    return {row["id"]: row["request_id"] for row in await tx.fetch(SQL["requests"], event_ids)}


async def of_subjects(
    tx: Connection, subjects: Iterable[Subject], *, including: Sequence[UUID]
) -> list[Event]:
    """Every accepted event of the subjects but the dead, the discarded and the pending ones.

    Those of `including` are taken though they are pending.
    """
    names = list(subjects)
    rows = await tx.fetch(
        SQL["of_subjects"],
        [name.lifecycle for name in names],
        [name.scope for name in names],
        [name.ref for name in names],
        including,
    )
    return [read(row) for row in rows]


async def decide(tx: Connection, outcomes: Outcomes) -> None:
    """Record the bucket of each event; a refold may move it."""
    if outcomes:
        ordered = sorted(outcomes)
        await tx.execute(
            SQL["decide"],
            ordered,
            [outcomes[event_id][0].value for event_id in ordered],
            [outcomes[event_id][1] for event_id in ordered],
        )


def read(row: asyncpg.Record) -> Event:
    """An event from its row."""
    said = Statement(
        dedupe_key=row["dedupe_key"],
        lifecycle=row["lifecycle"],
        scope=row["scope"],
        ref=row["ref"],
        lane=row["lane"],
        status=row["status"],
        code=row["code"],
        occurred_at=row["occurred_at"],
        attributes=row["attributes"],
        fate=Fate(row["fate"]),
        note=row["note"],
    )
    return Event(row["id"], row["source"], said, row["received_at"])
