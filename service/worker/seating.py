"""Events and the locked subjects around them come in; each event at its subject goes out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from service.domain import law, names
from service.domain.events import Event, Subject
from service.domain.names import Book, Introduced, Name, Resolution
from service.store.folding import Standing


@dataclass(frozen=True, slots=True)
class Seating:
    """The events of one fold where they belong, and the names before and after they spoke."""

    standing: Standing
    before: Book
    after: Book
    seats: dict[int, list[Event]]
    homeless: Mapping[UUID, tuple[Event, Resolution]]
    """Events whose names lead nowhere, or to more than one subject."""
    ahead: list[UUID]
    """Events of subjects that a newer release has folded: not for this worker."""


def seat(standing: Standing, events: Sequence[Event], *, locked: Collection[Name]) -> Seating:
    """Find each event its subject: by its ref, by the event it takes back, or by locked names."""
    by_ref = standing.find({event.home for event in events if event.home is not None})
    before = standing.book(locked)
    staying = {event.id: event for event in events}
    ahead: list[UUID] = []
    while True:
        heard = _introduce(staying.values(), by_ref, before)
        at = {each: _place(event, by_ref, heard) for each, event in staying.items()}
        later = [each for each, place in at.items() if _is_ahead(standing, place)]
        if not later:
            break
        # Without what they claim the others may mean something else.
        ahead += later
        staying = {each: event for each, event in staying.items() if each not in later}
    seats: dict[int, list[Event]] = {}
    for each, place in at.items():
        if isinstance(place, int):
            seats.setdefault(place, []).append(staying[each])
    homeless = {
        each: (staying[each], place) for each, place in at.items() if not isinstance(place, int)
    }
    return Seating(standing, before, heard.book, seats, homeless, sorted(ahead))


def _introduce(events: Collection[Event], by_ref: dict[Subject, int], before: Book) -> Introduced:
    return names.introduce(
        before,
        [names.speaker(each, by_ref[each.home] if each.home else None) for each in events],
    )


def _place(event: Event, by_ref: dict[Subject, int], heard: Introduced) -> Resolution:
    return by_ref[event.home] if event.home is not None else heard.meant[event.id]


def _is_ahead(standing: Standing, place: Resolution) -> bool:
    return isinstance(place, int) and standing.rows[place].law > law.LAW
