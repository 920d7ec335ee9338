"""The epoch of versions: after a restore every version must rise above all that were ever told."""

from collections.abc import Sequence
from dataclasses import dataclass

from service.store import dead_letters, ids, sql
from service.store.pool import Connection

SQL = sql.load("epoch")

SPAN = 1_000_000
"""Versions of one epoch start at its Unix time in seconds times this.

A backup does not know how often it was restored before; the clock does. The product stays below
2**53 until the year 2255, so that receivers may read a version as a floating point number.
"""


@dataclass(frozen=True, slots=True)
class Raised:
    """What became of a batch of subjects."""

    last: int
    subjects: int
    syncs: int


async def others(tx: Connection) -> list[str]:
    """The connections of roles that run on this database."""
    return [row["name"] for row in await tx.fetch(SQL["others"])]


async def begin(tx: Connection) -> int:
    """Open a new epoch: where its versions start, also those of subjects still to come."""
    base: int = await tx.fetchval(SQL["begin"], SPAN)
    await tx.execute(SQL["start"].replace("{base}", str(base)))
    return base


async def lift(
    tx: Connection, after: int, *, base: int, limit: int, destinations: Sequence[str]
) -> Raised | None:
    """Move the next subjects into the epoch and owe them again; None when there are no more."""
    await tx.execute(SQL["lock"])
    rows = await tx.fetch(SQL["raise"], after, limit, base)
    if not rows:
        return None
    seen = [row["id"] for row in rows if row["seen"]]
    await tx.execute(SQL["step"], [ids.new_id() for _ in seen], seen)
    owed = await tx.fetch(SQL["owe"], seen, destinations)
    pairs = [(row["subject_id"], row["destination"]) for row in owed]
    await dead_letters.supersede_syncs(tx, pairs)
    return Raised(max(row["id"] for row in rows), len(rows), len(owed))


async def redrive(tx: Connection) -> int:
    """Hand every owed event to the broker anew, whatever it was said to have; how many they are."""
    await tx.execute(SQL["forget"])
    told: str = await tx.execute(SQL["redrive"])
    return int(told.rpartition(" ")[2])
