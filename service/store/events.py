"""Events as they were accepted, and what the fold decided about each."""

from collections.abc import Iterable, Mapping, Sequence
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
    return [_event(row) for row in await tx.fetch(SQL["load"], event_ids)]


async def of_subjects(
    tx: Connection, subjects: Iterable[Subject], *, including: Sequence[UUID]
) -> list[Event]:
    """Every accepted event of the subjects but the dead and, save `including`, the pending ones."""
    names = list(subjects)
    rows = await tx.fetch(
        SQL["of_subjects"],
        [name.lifecycle for name in names],
        [name.scope for name in names],
        [name.ref for name in names],
        including,
    )
    return [_event(row) for row in rows]


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


def _event(row: asyncpg.Record) -> Event:
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
