"""Other names of subjects: who claims what comes in, the one subject that is meant goes out.

Subjects are told apart by numbers here; those that were merged count as their survivor.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple
from uuid import UUID

from service.domain import keys
from service.domain.events import Event, Revocation, Statement

Kind = Literal["source", "operator", "destination", "denial"]

EVENT = "event:"
"""How the types of names begin that stand for an event of a source; nobody else uses them."""

MOST_SUBJECTS = 8
"""A name that so many subjects claim names none of them; no source adds to that."""


class Name(NamedTuple):
    """An alias within a lifecycle."""

    lifecycle: str
    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}={self.value}"


class Claim(NamedTuple):
    """Somebody says that a subject goes by a name, or as a denial, an operator that it does not."""

    name: Name
    subject: int
    kind: Kind
    claimant: str


class Conflict(NamedTuple):
    """Those who are believed name different subjects."""

    subjects: tuple[int, ...]


Resolution = int | Conflict | None
Book = Mapping[Name, frozenset[Claim]]
"""All standing claims on the names that somebody asks about."""


class Speaker(NamedTuple):
    """An event, as far as names are concerned; one without a subject is to find it by them."""

    event_id: UUID
    source: str
    names: tuple[Name, ...]
    subject: int | None = None


@dataclass(frozen=True, slots=True)
class Introduced:
    """What is claimed after a batch of events, and what each event without a subject means."""

    book: Book
    meant: Mapping[UUID, Resolution]


def of(said: Statement) -> tuple[Name, ...]:
    """The names a statement knows its subject by."""
    if said.follows:
        return (taken_back(said.lifecycle, said.revokes),) if said.revokes else ()
    return tuple(Name(said.lifecycle, *alias) for alias in said.aliases)


def taken_back(lifecycle: str, event: Revocation) -> Name:
    """The name of the subject of an event, for one that knows nothing else of it."""
    return Name(lifecycle, f"{EVENT}{event.source}", keys.dedupe_hash(*event).hex())


def speaker(event: Event, subject: int | None) -> Speaker:
    """An event that came with another one has nothing to say about names."""
    spoken = of(event.statement) if event.about is None else ()
    return Speaker(event.id, event.source, spoken, subject)


def counting(claims: Iterable[Claim]) -> list[Claim]:
    """The claims that count: a denial silences sources and destinations, never an operator."""
    everything = list(claims)
    denied = {(claim.name, claim.subject) for claim in everything if claim.kind == "denial"}
    return [
        claim
        for claim in everything
        if claim.kind == "operator"
        or (claim.kind != "denial" and (claim.name, claim.subject) not in denied)
    ]


def resolve(claims: Iterable[Claim]) -> Resolution:
    """The one subject that all counting claims name; operators outrank everybody else."""
    counted = counting(claims)
    operators = [claim for claim in counted if claim.kind == "operator"]
    subjects = sorted({claim.subject for claim in operators or counted})
    if len(subjects) > 1:
        return Conflict(tuple(subjects))
    return subjects[0] if subjects else None


def known_as(book: Book, names: Iterable[Name]) -> Resolution:
    """What several names of one thing mean together."""
    return resolve(claim for name in names for claim in book.get(name, ()))


def introduce(book: Book, speakers: Sequence[Speaker]) -> Introduced:
    """Let events claim their names, in rounds: who found its subject speaks in the next one.

    What comes out does not depend on the order within the batch.
    """
    known = dict(book)
    meant: dict[UUID, Resolution] = {}
    _claim(known, [each for each in speakers if each.subject is not None])
    asking = [each for each in speakers if each.subject is None]
    while True:
        meant |= {each.event_id: known_as(known, each.names) for each in asking}
        found = [
            each._replace(subject=subject)
            for each in asking
            if isinstance(subject := meant[each.event_id], int)
        ]
        if not found:
            return Introduced(known, meant)
        _claim(known, found)
        asking = [each for each in asking if not isinstance(meant[each.event_id], int)]


def supported(rooted: Iterable[Name], guests: Sequence[Speaker]) -> set[UUID]:
    """Those guests of a subject that its names lead to, directly or by way of another guest.

    A guest's own claims do not hold it: names must come from somewhere else first.
    """
    reached = set(rooted)
    asking = list(guests)
    while found := [each for each in asking if not reached.isdisjoint(each.names)]:
        reached.update(name for each in found for name in each.names)
        asking = [each for each in asking if each not in found]
    return {each.event_id for each in guests} - {each.event_id for each in asking}


def changed(before: Book, after: Book) -> dict[Name, tuple[Resolution, Resolution]]:
    """The names that mean something else now, with what they meant."""
    pairs = {
        name: (resolve(before.get(name, ())), resolve(after.get(name, ())))
        for name in {*before, *after}
        if before.get(name) != after.get(name)
    }
    return {name: pair for name, pair in sorted(pairs.items()) if pair[0] != pair[1]}


def released(changes: Mapping[Name, tuple[Resolution, Resolution]]) -> list[Name]:
    """Names that lead to a subject now; events may wait for them."""
    return [name for name, (_, now) in changes.items() if isinstance(now, int)]


def contested(changes: Mapping[Name, tuple[Resolution, Resolution]]) -> dict[int, set[Name]]:
    """The subjects that lost a name; events may be there by it."""
    lost: dict[int, set[Name]] = {}
    for name, (before, _) in changes.items():
        if isinstance(before, int):
            lost.setdefault(before, set()).add(name)
    return lost


def without(book: Book, gone: Collection[Claim]) -> Book:
    return {name: claims.difference(gone) for name, claims in book.items()}


def _claim(known: dict[Name, frozenset[Claim]], speakers: Iterable[Speaker]) -> None:
    for each in speakers:
        assert each.subject is not None
        for name in each.names:
            claims = known.get(name, frozenset())
            if any(said.kind == "denial" and said.subject == each.subject for said in claims):
                continue
            subjects = {claim.subject for claim in claims if claim.kind != "denial"}
            if each.subject in subjects or len(subjects) < MOST_SUBJECTS:
                known[name] = claims | {Claim(name, each.subject, "source", each.source)}
