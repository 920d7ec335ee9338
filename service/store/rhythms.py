"""What is remembered of how often sources speak, and the alarms about those that do not."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from service.domain.rhythm import Rhythm, Sound
from service.store import ids, sql
from service.store.pool import Connection

SQL = sql.load("rhythms")

OVERLAP = 60.0
"""Requests may be seen so many seconds late: slow commits, and clocks of gateways that differ."""
LONGEST_LOOK = 3600.0
AT_ONCE = 20_000
"""Requests that one statement reads."""


@dataclass(frozen=True, slots=True)
class Turn:
    """The right to look now; moments are by the database clock."""

    now: float
    read_to: float


@dataclass(frozen=True, slots=True)
class Kept:
    rhythm: Rhythm
    silent: bool
    """Whether an alarm about it stands."""


async def take_turn(tx: Connection) -> Turn | None:
    """Until the transaction ends nobody else looks; None while another one does."""
    row = await tx.fetchrow(SQL["try"])
    assert row is not None
    if not row["mine"]:
        return None
    return Turn(row["at"], row["read_to"] if row["read_to"] is not None else row["at"])


async def read(tx: Connection, sources: Collection[str]) -> dict[str, Kept]:
    rows = await tx.fetch(SQL["all"], list(sources))
    return {row["source"]: Kept(Rhythm.from_json(row["learned"]), row["silent"]) for row in rows}


async def news(
    tx: Connection, turn: Turn, *, at_once: int = AT_ONCE
) -> AsyncIterator[tuple[str, Sound]]:
    """What was accepted since the last look, each request once."""
    since = max(turn.read_to - OVERLAP, turn.now - LONGEST_LOOK)
    at: UUID | None = ids.first_id(_moment(since))
    while at is not None:
        bound: UUID | None = await tx.fetchval(SQL["bound"], at, at_once)
        for row in await tx.fetch(SQL["news"], at, bound, since):
            yield row["source"], Sound(row["first"], row["last"], row["requests"])
        at = bound


async def save(tx: Connection, rhythms: Mapping[str, Rhythm]) -> None:
    await tx.execute(
        SQL["save"],
        list(rhythms),
        [one.to_json() for one in rhythms.values()],
        [one.heard or one.known for one in rhythms.values()],
    )


async def begin(tx: Connection, details: Mapping[str, str]) -> list[str]:
    """Raise alarms where none stands; names those."""
    made = [ids.new_id() for _ in details]
    rows = await tx.fetch(SQL["begin"], made, list(details), list(details.values()))
    return [row["source"] for row in rows]


async def end(tx: Connection, *, but: Iterable[str]) -> list[str]:
    """End every alarm but those about some sources; names those that ended."""
    return [row["source"] for row in await tx.fetch(SQL["end"], list(but))]


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
