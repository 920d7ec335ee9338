"""What is known of a person through one subject: blanked where it stands, counted as before."""

from collections.abc import Collection
from dataclasses import dataclass

from service.store import sql
from service.store.pool import Connection

SQL = sql.load("erasure")


@dataclass(frozen=True, slots=True)
class Erased:
    requests: int
    events: int


async def lock(tx: Connection, subject_id: int) -> tuple[list[object], list[object]]:
    """The events of a subject and the requests they came with; no replay is at them now.

    Before the subject itself is locked, as everybody does.
    """
    rows = await tx.fetch(SQL["own"], subject_id)
    events = [row["id"] for row in rows]
    await tx.execute(SQL["lock"], events)
    return events, sorted({row["request_id"] for row in rows})


async def blank(
    tx: Connection,
    subject_id: int,
    found: tuple[list[object], list[object]],
    *,
    but: Collection[str],
) -> Erased:
    """Blank requests, and attributes other than these, wherever they went from the events."""
    events, requests = found
    await tx.execute(SQL["states"], subject_id, list(but))
    return Erased(
        requests=await tx.fetchval(SQL["requests"], requests),
        events=await tx.fetchval(SQL["events"], events, list(but)),
    )
