"""What a fold reads: owed events, the subjects and names they speak of, and whole histories.

Each function is one round trip, `take` two at most. Locks are taken in one order by everybody:
entries that others hold are left out, then come names, then subjects; so nobody waits in a ring.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from service.domain.bases import Base, together
from service.domain.events import Event, Subject
from service.domain.names import Book, Claim, Name
from service.domain.state import Pin
from service.store import bases, details, events, sql, subjects
from service.store.outbox import Entry
from service.store.pool import Connection
from service.store.subjects import Row

SQL = sql.load("folding")

NEVER = datetime.min.replace(tzinfo=UTC)
NOWHERE = None, None


class SubjectsMoved(Exception):
    """Another transaction made or merged a subject meanwhile: roll back, and begin anew."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What is still owed, locked; events of suspects are left out unless one is folded alone."""

    at: datetime
    """Time of the transaction, by the database clock."""
    entries: Sequence[Entry]
    events: Sequence[Event]


@dataclass(frozen=True, slots=True)
class Standing:
    """Locked subjects, and every claim on the names that were asked for."""

    rows: Mapping[int, Row]
    claims: Sequence[Claim]

    def survivor(self, subject_id: int) -> int:
        """The subject that stands for this one today."""
        while (into := self.rows[subject_id].merged_into) is not None:
            subject_id = into
        return subject_id

    def find(self, names: Iterable[Subject]) -> dict[Subject, int]:
        """The survivors that subjects of these names lead to."""
        by_name = {row.subject: row.id for row in self.rows.values()}
        return {name: self.survivor(by_name[name]) for name in names}

    def book(self, names: Iterable[Name]) -> Book:
        found: dict[Name, set[Claim]] = {name: set() for name in names}
        for claim in self.claims:
            found[claim.name].add(claim._replace(subject=self.survivor(claim.subject)))
        return {name: frozenset(claims) for name, claims in found.items()}


@dataclass(frozen=True, slots=True)
class History:
    """All that a subject, and what was merged into it, is folded from."""

    events: list[Event] = field(default_factory=list)
    guests: set[UUID] = field(default_factory=set)
    """Those of the events that are there by another name."""
    pins: list[Pin] = field(default_factory=list)
    rolled_back: set[UUID] = field(default_factory=set)
    claims: dict[int, Claim] = field(default_factory=dict)
    """The standing claims by their ids, all on this subject."""
    destinations: list[str] = field(default_factory=list)
    """Who knows the subject."""
    bases: list[Base] = field(default_factory=list)
    """What stands for purged events of it, and of each that was merged into it."""

    @property
    def base(self) -> Base:
        return together(self.bases)


async def take(
    tx: Connection, event_ids: Sequence[UUID], *, alone: bool, names: Collection[Name] = ()
) -> Taken:
    """Lock what is still owed, then the names that these events use, and `names` besides.

    One more round trip where an event names no subject, but follows the one that it takes back.
    """
    bounds = min(event_ids), max(event_ids)
    rows = await tx.fetch(SQL["take"], event_ids, alone, *name_columns(names), *bounds)
    found = await _followed(tx, [row for row in rows if row["followed_hash"] is not None])
    return Taken(
        at=rows[0]["at"] if rows else NEVER,
        entries=[Entry(row["event_id"], row["crashes"], row["solo"]) for row in rows],
        events=[_owed(row, *found.get(row["id"], NOWHERE)) for row in rows if row["id"]],
    )


async def _followed(
    tx: Connection, rows: Sequence[asyncpg.Record]
) -> dict[UUID, tuple[Subject, UUID | None]]:
    """At which subject the events are that these take back, and which of them is only a guest."""
    if not rows:
        return {}
    columns = ([row[name] for row in rows] for name in ("id", "followed_source", "followed_hash"))
    return {
        row["event_id"]: (Subject(row["lifecycle"], row["scope"], row["ref"]), row["beside"])
        for row in await tx.fetch(SQL["follow"], *columns)
    }


def _owed(row: asyncpg.Record, about: Subject | None, beside: UUID | None) -> Event:
    return Event(
        row["id"],
        row["source"],
        details.statement(dict(row)),
        row["received_at"],
        request_id=row["request_id"],
        about=about,
        beside=beside,
        rolled_back=row["rolled_back"],
    )


async def stand(tx: Connection, named: Collection[Subject], *, names: Collection[Name]) -> Standing:
    """Make subjects exist; lock them, those that locked names are claimed for, and survivors.

    First what is missing is entered, then what there is is locked, each in (lifecycle, scope, ref)
    order: who waits for a subject another one is making must not hold one already. A subject that
    another one made meanwhile cannot be seen by this statement, so it raises SubjectsMoved.
    """
    found = await tx.fetch(SQL["stand"], *subjects.columns(named), *name_columns(names))
    rows = {row["id"]: subjects.read(row) for row in found}
    claims = [
        Claim(Name(*said[:3]), row["id"], *said[3:]) for row in found for said in row["claims"]
    ]
    survivors = {row.merged_into for row in rows.values()} - {None}
    if not survivors <= rows.keys() or not set(named) <= {row.subject for row in rows.values()}:
        raise SubjectsMoved
    return Standing(rows, claims)


async def histories(
    tx: Connection, subject_ids: Collection[int], *, including: Sequence[UUID] = ()
) -> dict[int, History]:
    """Every accepted event of locked subjects but the dead, the waiting and the pending ones.

    Those of `including` are taken though they are pending.
    """
    found = {subject_id: History() for subject_id in subject_ids}
    if found:
        for row in await tx.fetch(SQL["history"], sorted(found), including):
            _note(found[row["root"]], row)
    return found


def _note(history: History, row: asyncpg.Record) -> None:
    """A row is an event, or all that is known of the subject besides."""
    if row["known"] is None:
        history.events.append(events.read(row))
        if row["guest"]:
            history.guests.add(row["id"])
        if row["rolled_back"]:
            history.rolled_back.add(row["id"])
        return
    known = row["known"]
    history.pins.extend(Pin(*each) for each in known["pins"])
    history.destinations.extend(known["destinations"])
    history.bases.extend(map(bases.read, known["bases"]))
    for id_, lifecycle, type_, value, kind, claimant in known["claims"]:
        history.claims[id_] = Claim(Name(lifecycle, type_, value), row["root"], kind, claimant)


def name_columns(names: Iterable[Name]) -> tuple[list[str], list[str], list[str]]:
    """The parts of names, each once."""
    ordered = sorted(set(names))
    return (
        [name.lifecycle for name in ordered],
        [name.type for name in ordered],
        [name.value for name in ordered],
    )
