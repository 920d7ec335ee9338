"""What is owed and what is dead, counted for the gauges: every count stops at a cap.

The ledger counts all rows and may take its time; these are read every few seconds, so each is one
walk along an index and ends early. Destinations and reasons come from outside, so that a row cannot
make a new series.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from service.domain.verdict import Reason
from service.store import sql
from service.store.ids import made_at
from service.store.outbox import PRIORITIES
from service.store.pool import Connection

SQL = sql.load("gauges")

CAP = 10_000
FEW = 1000
ANOMALIES = ("key_conflict", "alias_conflict", "silence")
REASONS = [reason.value for reason in Reason]


@dataclass(frozen=True, slots=True)
class Backlog:
    """The entries of one priority that wait for the fold."""

    priority: int
    entries: int
    oldest_seconds: float
    """Since the oldest of them was accepted; 0 when there is none."""


@dataclass(frozen=True, slots=True)
class Owed:
    destination: str
    state: str
    syncs: int


@dataclass(frozen=True, slots=True)
class Dead:
    kind: Literal["event", "sync"]
    destination: str
    """Empty for events: they never came so far."""
    reason: str
    letters: int


async def outbox(tx: Connection) -> list[Backlog]:
    rows = await tx.fetch(SQL["outbox"], PRIORITIES, CAP)
    return [
        Backlog(row["priority"], row["entries"], _age(row["oldest"], now=row["at"])) for row in rows
    ]


async def syncs(tx: Connection, destinations: Sequence[str]) -> list[Owed]:
    rows = await tx.fetch(SQL["syncs"], destinations, CAP)
    return [Owed(row["destination"], row["state"], row["owed"]) for row in rows]


async def dead_letters(tx: Connection, destinations: Sequence[str]) -> list[Dead]:
    events = await tx.fetch(SQL["dead_events"], REASONS, CAP)
    calls = await tx.fetch(SQL["dead_syncs"], destinations, REASONS, CAP)
    return [Dead("event", "", row["reason"], row["letters"]) for row in events] + [
        Dead("sync", row["destination"], row["reason"], row["letters"]) for row in calls
    ]


async def anomalies(tx: Connection, sources: Sequence[str]) -> dict[tuple[str, str], int]:
    """By kind and source: those that go on."""
    rows = await tx.fetch(SQL["anomalies"], ANOMALIES, sources, FEW)
    return {(row["kind"], row["source"]): row["open"] for row in rows}


async def flagged(tx: Connection, flags: Sequence[str]) -> dict[str, int]:
    rows = await tx.fetch(SQL["flagged"], flags, CAP)
    return {row["flag"]: row["subjects"] for row in rows}


async def unmapped(tx: Connection, sources: Sequence[str]) -> dict[str, int]:
    """By source: events whose word it does not map."""
    rows = await tx.fetch(SQL["unmapped"], sources, CAP)
    return {row["source"]: row["events"] for row in rows}


async def lookups(tx: Connection, sources: Sequence[str]) -> dict[str, tuple[int, float]]:
    """By source: the look-ups that are owed, and the seconds since the oldest came to be owed."""
    rows = await tx.fetch(SQL["lookups"], sources, CAP)
    return {row["source"]: (row["owed"], row["oldest"]) for row in rows}


def _age(event_id: UUID | None, *, now: float) -> float:
    return max(0.0, now - made_at(event_id)) if event_id is not None else 0.0
