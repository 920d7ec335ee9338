"""Dead letters are rows: what a person must look at, with the reason in words."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from service.domain.verdict import DeadLetter
from service.store import ids, sql
from service.store.pool import Connection

SQL = sql.load("dead_letters")


async def bury_events(tx: Connection, dead: Mapping[UUID, DeadLetter]) -> None:
    """Open a dead letter for each event; one that is open already is refreshed."""
    if dead:
        ordered = sorted(dead)
        await tx.execute(
            SQL["bury_events"],
            [ids.new_id() for _ in ordered],
            ordered,
            [dead[event_id].reason.value for event_id in ordered],
            [dead[event_id].summary for event_id in ordered],
        )


async def bury_syncs(tx: Connection, dead: Mapping[int, DeadLetter], *, destination: str) -> None:
    """Open a dead letter for each subject whose change this destination will not take."""
    if dead:
        ordered = sorted(dead)
        await tx.execute(
            SQL["bury_syncs"],
            [ids.new_id() for _ in ordered],
            destination,
            ordered,
            [dead[subject_id].reason.value for subject_id in ordered],
            [dead[subject_id].summary for subject_id in ordered],
        )


async def supersede_syncs(tx: Connection, owed: Sequence[tuple[int, str]]) -> None:
    """Close what is dead for these (subject, destination): a newer version is owed instead."""
    await tx.execute(
        SQL["supersede_syncs"], [subject for subject, _ in owed], [name for _, name in owed]
    )
