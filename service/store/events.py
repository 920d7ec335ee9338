"""Events as they were accepted, and what the fold decided about each."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from service.domain.events import Event, Outcome
from service.store import details, sql
from service.store.pool import Connection

SQL = sql.load("events")

Outcomes = Mapping[UUID, tuple[Outcome, str]]
"""Event id to its bucket and the sentence that says why."""


async def requests(tx: Connection, event_ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """The request each of these events came with."""
    bounds = min(event_ids), max(event_ids)
    found = await tx.fetch(SQL["requests"], event_ids, *bounds)
    return {row["id"]: row["request_id"] for row in found}


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
    return Event(row["id"], row["source"], details.statement(dict(row)), row["received_at"])
