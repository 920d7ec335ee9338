"""A subject's whole history comes in; its state, and who does not belong to it any more, go out."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from service.domain import law, names
from service.domain.events import Event, Outcome, Revocation
from service.domain.law import Folded
from service.domain.lifecycle import Lifecycle
from service.domain.names import Book, Claim, Name, Speaker
from service.store.folding import History


class NamesNeeded(Exception):
    """Claims on these names must be read under their locks first: begin anew with them."""

    def __init__(self, needed: Iterable[Name]) -> None:
        super().__init__("names are to be locked")
        self.names = frozenset(needed)


@dataclass(frozen=True, slots=True)
class Life:
    """What a subject is, from all of its events."""

    folded: Folded
    events: Sequence[Event]
    left: frozenset[UUID]
    """Events that no name leads to it any more."""
    claimed: frozenset[tuple[Name, str]]
    """Names of it, and the sources that say so."""
    unclaimed: dict[int, Claim]
    """Claims that only events made which were revoked, or left."""


@dataclass(frozen=True, slots=True)
class Case:
    """A subject that is folded from all of its events, the news among them."""

    lifecycle: Lifecycle
    history: History
    news: Sequence[Event] = ()
    lost: Collection[Name] = ()
    """Names that meant it before and do not now."""


def live_all(cases: Mapping[int, Case], book: Book) -> dict[int, Life]:
    """Live each; NamesNeeded tells at once all that any of them needs."""
    lived: dict[int, Life] = {}
    needed: set[Name] = set()
    for subject, case in cases.items():
        try:
            lived[subject] = live(subject, case, book)
        except NamesNeeded as missing:
            needed |= missing.names
    if needed:
        raise NamesNeeded(needed)
    return lived


def live(subject: int, case: Case, book: Book) -> Life:
    """Apply the law to all events that belong to a subject.

    `book` holds what is claimed on names under their locks. Events without a ref stay only while
    names lead to the subject that do not come from themselves. Raises NamesNeeded where more must
    be known.
    """
    lifecycle, history, news, lost = case.lifecycle, case.history, case.news, case.lost
    every = {event.id: event for event in [*history.events, *news]}
    guests = history.guests | {each.id for each in every.values() if each.subject is None}
    left = _estranged(subject, [every[each] for each in guests], book=book, lost=lost)
    known = _known(subject, history, book)
    rolled_back = history.rolled_back | {event.id for event in news if event.rolled_back}
    purged = {(Name(lifecycle.name, *alias), source) for alias, source in history.base.claims}
    while True:
        left |= _bereft([every[each] for each in guests], every, left=left)
        staying = [event for event in every.values() if event.id not in left]
        folded = law.fold(
            lifecycle, staying, pins=history.pins, rolled_back=rolled_back, base=history.base
        )
        revoked = {
            each for each, said in folded.outcomes.items() if said.outcome == Outcome.REVOKED
        }
        heard = [event for event in staying if event.id not in revoked]
        mute = [event for event in staying if event.id in revoked]
        lonely = _lonely(heard, mute, guests=guests, known=known, purged=purged)
        if not lonely:
            break
        left |= lonely
    claimed = (
        frozenset((name, event.source) for event in heard for name in names.of(event.statement))
        | purged
    )
    unclaimed = {
        id_: claim
        for id_, claim in history.claims.items()
        if claim.kind == "source" and (claim.name, claim.claimant) not in claimed
    }
    _expect_known(book, (claim.name for claim in unclaimed.values()))
    return Life(folded, staying, frozenset(left), claimed, unclaimed)


def _estranged(
    subject: int, guests: Iterable[Event], *, book: Book, lost: Collection[Name]
) -> set[UUID]:
    """Guests that a lost name may have brought, and that all their names together do not bring."""
    asked = [each for each in guests if not set(lost).isdisjoint(names.of(each.statement))]
    for each in asked:
        _expect_known(book, names.of(each.statement))
    return {each.id for each in asked if names.known_as(book, names.of(each.statement)) != subject}


def _known(subject: int, history: History, book: Book) -> set[Claim]:
    """Every claim on the subject that counts."""
    said = {claim for claims in book.values() for claim in claims if claim.subject == subject}
    besides = {claim for claim in history.claims.values() if claim.name not in book}
    return set(names.counting(said | besides))


def _bereft(
    guests: Iterable[Event], every: Mapping[UUID, Event], *, left: Collection[UUID]
) -> set[UUID]:
    """Guests that came with the event they take back, which has left, or had before they came."""
    gone = {Revocation(every[each].source, every[each].statement.dedupe_key) for each in left}
    here = every.keys() - set(left)
    return {
        each.id
        for each in guests
        if each.statement.follows
        and (each.statement.revokes in gone or each.beside not in {None, *here})
    }


def _lonely(
    heard: Sequence[Event],
    mute: Sequence[Event],
    *,
    guests: Collection[UUID],
    known: set[Claim],
    purged: Collection[tuple[Name, str]],
) -> set[UUID]:
    """Guests whose names come from nowhere but themselves and each other.

    Those that were revoked have no say, and leave with the name that brought them all the same.
    """
    called = {claim.name for claim in known}
    own = {name for each in heard if each.id not in guests for name in names.of(each.statement)}
    own |= {name for name, _ in purged}
    given = {claim.name for claim in known if claim.kind != "source"}
    asking, silent = (
        [_guest(each, called) for each in part if each.id in guests and not each.statement.follows]
        for part in (heard, mute)
    )
    held = names.supported(own & called | given, asking)
    reached = own & called | given
    reached.update(name for each in asking if each.event_id in held for name in each.names)
    lonely = {each.event_id for each in asking} - held
    return lonely | {each.event_id for each in silent if reached.isdisjoint(each.names)}


def _guest(event: Event, called: Collection[Name]) -> Speaker:
    spoken = names.of(event.statement)
    return Speaker(event.id, event.source, tuple(name for name in spoken if name in called))


def _expect_known(book: Book, needed: Iterable[Name]) -> None:
    if missing := [name for name in needed if name not in book]:
        raise NamesNeeded(missing)
