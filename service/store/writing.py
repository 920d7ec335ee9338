"""What a fold writes: one statement, so that a change of subjects and all that follows is whole."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from service.domain.events import Outcome
from service.domain.names import Claim, Name
from service.domain.verdict import DeadLetter
from service.store import dead_letters, ids, sql
from service.store.pool import Connection
from service.store.subjects import Saved, Step
from service.store.syncs import Debt, Lease

SQL = sql.load("writing")


@dataclass(frozen=True, slots=True)
class Wait:
    """For what an event waits, and until when."""

    names: Sequence[Name]
    until: datetime


@dataclass(frozen=True, slots=True)
class Contradiction:
    """A name that leads to more than one subject since this claim."""

    source: str
    event_id: UUID | None
    subject_id: int
    detail: str


@dataclass(slots=True)
class Writes:
    """Everything one transaction will write; all subjects and names in it are locked."""

    saved: list[Saved] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outcomes: dict[UUID, tuple[Outcome, str]] = field(default_factory=dict)
    adopted: dict[UUID, int] = field(default_factory=dict)
    """Events that belong to a subject by another name."""
    orphaned: set[UUID] = field(default_factory=set)
    """Events that belonged to one, and are owed to the fold again."""
    claimed: set[Claim] = field(default_factory=set)
    unclaimed: set[int] = field(default_factory=set)
    """Ids of claims."""
    released: Sequence[Name] = ()
    """Names that lead to a subject now: who waits for them is owed to the fold again."""
    waits: dict[UUID, Wait] = field(default_factory=dict)
    looked_up: dict[UUID, str] = field(default_factory=dict)
    """Events that only point at an object, and the source that is asked for it."""
    dead: dict[UUID, DeadLetter] = field(default_factory=dict)
    debts: list[Debt] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)
    finished: list[UUID] = field(default_factory=list)
    put_off: list[UUID] = field(default_factory=list)
    again: list[UUID] = field(default_factory=list)
    """Events that what is written here concerns: they are due at once."""
    pause: timedelta = timedelta(0)
    forgive: bool = False
    """Whether a crash is taken back that was counted for those that are put off."""


async def write(tx: Connection, writes: Writes) -> list[Lease]:
    """Write all of it in one round trip; the leases that were taken on what is owed come back.

    A letter of what had been given up is closed by a statement of its own: the one before may have
    waited for whoever wrote that letter, and does not see it.
    """
    rows = await tx.fetch(
        SQL["write"],
        *_saved(writes.saved),
        *_steps(writes.steps),
        *_outcomes(writes.outcomes),
        *_adoptions(writes),
        *_claims(writes),
        *_waiting(writes),
        *_dead(writes.dead),
        *_debts(writes.debts),
        ids.new_id(),
        *_contradictions(writes.contradictions),
        *(writes.finished, [*writes.put_off, *writes.again], writes.pause, writes.forgive),
        *(list(writes.looked_up), list(writes.looked_up.values())),
        [row.lifecycle_hash for row in writes.saved],
        writes.again,
        *_bounds(writes.orphaned),
    )
    given_up = [(row["subject_id"], row["destination"]) for row in rows if row["given_up"]]
    if given_up:
        await dead_letters.supersede_syncs(tx, given_up)
    return [
        Lease(row["subject_id"], row["destination"], row["fence"], row["priority"])
        for row in rows
        if row["leased"]
    ]


def _bounds(event_ids: Collection[UUID]) -> tuple[UUID | None, UUID | None]:
    """The least and the greatest; nothing lies between those of none."""
    return min(event_ids, default=None), max(event_ids, default=None)


Columns = tuple[Sequence[object], ...]


def _saved(saved: Sequence[Saved]) -> Columns:
    return (
        [row.id for row in saved],
        [row.status for row in saved],
        [row.version for row in saved],
        [row.law for row in saved],
        [row.state for row in saved],
        [_array(row.flags) for row in saved],
    )


def _steps(steps: Sequence[Step]) -> Columns:
    return (
        [ids.new_id() for _ in steps],
        [step.subject_id for step in steps],
        [step.version for step in steps],
        [step.previous for step in steps],
        [step.status for step in steps],
        [dict(step.lanes) for step in steps],
        [step.occurred_at for step in steps],
        [_array(map(str, step.event_ids)) for step in steps],
        [step.cause for step in steps],
    )


def _outcomes(outcomes: Mapping[UUID, tuple[Outcome, str]]) -> Columns:
    ordered = sorted(outcomes)
    return (
        ordered,
        [outcomes[event_id][0].value for event_id in ordered],
        [outcomes[event_id][1] for event_id in ordered],
    )


def _adoptions(writes: Writes) -> Columns:
    adopted = sorted(writes.adopted.items())
    return [each for each, _ in adopted], [at for _, at in adopted], sorted(writes.orphaned)


def _claims(writes: Writes) -> Columns:
    claims = sorted(writes.claimed)
    return (
        [claim.name.lifecycle for claim in claims],
        [claim.name.type for claim in claims],
        [claim.name.value for claim in claims],
        [claim.subject for claim in claims],
        [claim.kind for claim in claims],
        [claim.claimant for claim in claims],
        sorted(writes.unclaimed),
    )


def _waiting(writes: Writes) -> Columns:
    mine = [*writes.finished, *writes.put_off, *writes.again]
    waits = sorted(
        (event_id, name, wait.until)
        for event_id, wait in writes.waits.items()
        for name in set(wait.names)
    )
    return (
        [name.lifecycle for name in writes.released],
        [name.type for name in writes.released],
        [name.value for name in writes.released],
        mine,
        [event_id for event_id in writes.finished if event_id not in writes.waits],
        [event_id for event_id, _, _ in waits],
        [name.lifecycle for _, name, _ in waits],
        [name.type for _, name, _ in waits],
        [name.value for _, name, _ in waits],
        [until for _, _, until in waits],
    )


def _dead(dead: Mapping[UUID, DeadLetter]) -> Columns:
    ordered = sorted(dead)
    return (
        [ids.new_id() for _ in ordered],
        ordered,
        [dead[event_id].reason.value for event_id in ordered],
        [dead[event_id].summary for event_id in ordered],
    )


def _debts(debts: Sequence[Debt]) -> Columns:
    ordered = sorted(debts, key=lambda debt: (debt.subject_id, debt.destination))
    return (
        [debt.subject_id for debt in ordered],
        [debt.destination for debt in ordered],
        [debt.version for debt in ordered],
        [debt.lease for debt in ordered],
        [debt.priority for debt in ordered],
    )


def _contradictions(found: Sequence[Contradiction]) -> Columns:
    return (
        [ids.new_id() for _ in found],
        [each.source for each in found],
        [each.event_id for each in found],
        [each.subject_id for each in found],
        [each.detail for each in found],
    )


def _array(words: Iterable[str]) -> str:
    """An array literal of plain words: an array of arrays of different lengths cannot travel."""
    return "{" + ",".join(f'"{word}"' for word in words) + "}"
