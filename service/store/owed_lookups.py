"""What is still to be looked up at senders: owed by the fold, claimed and ended by a worker."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from service.domain.events import Lookup
from service.domain.verdict import DeadLetter
from service.store import dead_letters, sql
from service.store.pool import Connection

SQL = sql.load("owed_lookups")


@dataclass(frozen=True, slots=True)
class Owed:
    """A look-up that was claimed; its event waits."""

    event_id: UUID
    source: str
    lookup: Lookup | None
    """None where the event is gone or points at nothing any more."""
    attempts: int
    """With this one; another claim counts further, so it tells an outlived claim."""
    failing_for: timedelta


async def claim(tx: Connection, *, limit: int, lease: timedelta) -> list[Owed]:
    """Take what is due; nobody else gets it before the lease ends."""
    rows = await tx.fetch(SQL["claim"], limit, lease)
    return [
        Owed(
            row["event_id"],
            row["source"],
            Lookup(**row["lookup"]) if row["lookup"] else None,
            row["attempts"],
            row["failing_for"],
        )
        for row in rows
    ]


async def put_off(tx: Connection, owed: Owed, *, by: timedelta) -> None:
    """Try again later."""
    await tx.execute(SQL["put_off"], owed.event_id, owed.attempts, by)


async def settle(tx: Connection, owed: Owed, *, why: str) -> None:
    """The object's state came as a request of its own; the event that pointed at it is done."""
    await tx.execute(SQL["settle"], owed.event_id, why)


async def give_up(tx: Connection, owed: Owed, letter: DeadLetter) -> None:
    """A person must look; unless the event has gone another way meanwhile."""
    if await tx.fetchval(SQL["give_up"], owed.event_id, owed.attempts):
        await dead_letters.bury_events(tx, {owed.event_id: letter})
