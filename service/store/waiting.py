"""Events that wait for their subject: those that can go on, and those past their deadline."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from service.domain.names import Name
from service.domain.verdict import DeadLetter
from service.store import ids, sql
from service.store.pool import Connection

SQL = sql.load("waiting")


@dataclass(frozen=True, slots=True)
class Overdue:
    """An event that waited for its names in vain."""

    event_id: UUID
    source: str
    received_at: datetime
    names: list[Name] = field(default_factory=list)


async def arrived(tx: Connection, *, limit: int) -> list[Name]:
    """The names of events at subjects that other events wait for; even past their deadline."""
    rows = await tx.fetch(SQL["arrived"], limit)
    return [Name(row["lifecycle"], row["type"], row["value"]) for row in rows]


async def overdue(tx: Connection, *, limit: int) -> list[Overdue]:
    """Events past their deadline; their names are locked, so that no link overlooks them."""
    found: dict[UUID, Overdue] = {}
    for row in await tx.fetch(SQL["overdue"], limit):
        name = Name(row["lifecycle"], row["type"], row["value"])
        each = Overdue(row["event_id"], row["source"], row["received_at"])
        found.setdefault(row["event_id"], each).names.append(name)
    return list(found.values())


async def expire(tx: Connection, letters: Mapping[UUID, DeadLetter]) -> int:
    """Bury those that still wait; they go on to be listed, and a link revives them."""
    ordered = sorted(letters)
    return int(
        await tx.fetchval(
            SQL["expire"],
            ordered,
            [ids.new_id() for _ in ordered],
            [letters[event_id].reason.value for event_id in ordered],
            [letters[event_id].summary for event_id in ordered],
        )
    )
