"""One subject's rows for people: itself, what was merged into it, its names, acts and events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.domain.events import Subject
from service.store import sql
from service.store.lookups import STATEMENT_TIMEOUT
from service.store.pool import Connection, Pool, transaction

SQL = sql.load("dossiers")

MOST_HISTORY = 1000
MOST_ACTS = 500
MOST_NAMES = 200
MOST_VERSIONS = 200

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Dossier:
    """All rows of one snapshot; lists are the newest first, and bounded."""

    subject: Row
    merged: Sequence[Row]
    """The subjects that were merged into it."""
    syncs: Sequence[Row]
    """Its own, and those of the merged ones."""
    claims: Sequence[Row]
    corrections: Sequence[Row]
    actions: Sequence[Row]
    bases: Sequence[Row]
    """What stands for events of the family that were purged, the oldest first."""
    history: Sequence[Row]
    versions: Sequence[Row]
    """Where the overall status moved."""
    destinations: Sequence[Row]
    """Those of its destinations that are not called now."""
    budgets: Sequence[Row]
    """What nothing can be spent of now."""
    at: datetime
    """The database's clock."""


async def read(pool: Pool, name: Subject) -> Dossier | None:
    """What a name leads to: for a merged subject the one that stands for it now."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        family = await _fetch(tx, "family", *name)
        return await _gather(tx, family) if family else None


async def _gather(tx: Connection, family: Sequence[Row]) -> Dossier:
    ids = [row["id"] for row in family]
    names = [str(Subject(row["lifecycle"], row["scope"], row["ref"])) for row in family]
    syncs = await _fetch(tx, "syncs", ids)
    told = sorted({row["destination"] for row in syncs if row["state"] != "synced"})
    return Dossier(
        subject=family[0],
        merged=family[1:],
        syncs=syncs,
        claims=await _fetch(tx, "claims", ids, MOST_NAMES),
        corrections=await _fetch(tx, "corrections", ids, MOST_ACTS),
        actions=await _fetch(tx, "actions", names, MOST_ACTS),
        bases=await _fetch(tx, "bases", ids),
        history=await _fetch(tx, "history", ids, MOST_HISTORY),
        versions=await _fetch(tx, "versions", ids[0], MOST_VERSIONS),
        destinations=await _fetch(tx, "destinations", told) if told else (),
        budgets=await _fetch(tx, "budgets", told) if told else (),
        at=await tx.fetchval(SQL["now"]),
    )


async def _fetch(tx: Connection, name: str, *values: object) -> list[Row]:
    return [dict(row) for row in await tx.fetch(SQL[name], *values)]
