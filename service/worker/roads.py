"""Where events came from: what a fold decided goes in, log lines and the pumps' knowledge come out.

None of it decides anything. It lets a person follow one request to the destinations.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from service import journal, telemetry, tracing
from service.domain.events import Event, Subject
from service.store.ids import made_at
from service.store.syncs import Owed

MOST_EVENTS = 10_000
"""Events whose origin a pump keeps in memory; older ones are asked for again."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The request an event came with, and the trace it is part of in this process."""

    request_id: UUID | None
    trace: tracing.Context | None


@dataclass(frozen=True, slots=True)
class Move:
    """A subject after a fold, and the news that were folded into it."""

    subject: Subject
    version: int
    news: Sequence[Event]
    destinations: Sequence[str]
    """Who is owed this version; none when nothing can be seen of the news."""


@dataclass(frozen=True, slots=True)
class End:
    """An event that touches no subject, and what became of it."""

    event: Event
    outcome: str


def tell(moves: Sequence[Move], ends: Sequence[End]) -> None:
    """Log what was committed, and how long its events waited for it."""
    journal.folded(_moved(moves))
    journal.folded(_ended(ends))
    everything = [event for move in moves for event in move.news] + [end.event for end in ends]
    for event in everything:
        telemetry.FOLD_WAIT_SECONDS.observe(telemetry.age(made_at(event.id)))


def origins(moves: Iterable[Move]) -> dict[str, dict[UUID, Origin]]:
    """For each destination, the origins of the events behind what it is owed."""
    found: dict[str, dict[UUID, Origin]] = {}
    for move in moves:
        traces = tracing.carried(event.id for event in move.news)
        news = {each.id: Origin(each.request_id, traces.get(each.id)) for each in move.news}
        for name in move.destinations:
            found.setdefault(name, {}).update(news)
    return found


class Memory:
    """Origins of the events a destination is owed; a worker that folded none of them asks."""

    def __init__(self) -> None:
        self._origins: dict[UUID, Origin] = {}

    def keep(self, origins: Mapping[UUID, Origin]) -> None:
        self._origins.update(origins)
        for oldest in list(self._origins)[: max(0, len(self._origins) - MOST_EVENTS)]:
            del self._origins[oldest]

    def missing(self, owed: Iterable[Owed]) -> list[UUID]:
        """The events of these syncs that nothing is known about."""
        return [each for one in owed for each in _shown(one) if each not in self._origins]

    def learn(self, requests: Mapping[UUID, UUID]) -> None:
        self.keep({event_id: Origin(request, None) for event_id, request in requests.items()})

    def requests(self, owed: Owed) -> list[UUID]:
        """The requests that led to this sync."""
        known = [self._origins[each].request_id for each in _shown(owed) if each in self._origins]
        return list(dict.fromkeys(each for each in known if each is not None))

    def traces(self, owed: Owed) -> list[tracing.Context]:
        """The traces this sync belongs to, the newest first."""
        known = [self._origins[each].trace for each in _shown(owed) if each in self._origins]
        return [each for each in known if each is not None]

    def forget(self, owed: Owed) -> None:
        """The sync is settled: nobody asks again."""
        for each in owed.event_ids:
            self._origins.pop(each, None)


def row(owed: Owed, key: str, requests: Sequence[UUID], **more: object) -> journal.Row:
    """What a log line says about one sync."""
    return {
        "subject": str(owed.subject),
        "version": owed.version,
        "key": key,
        "request_ids": journal.listed(requests),
        "event_ids": journal.listed(owed.event_ids),
        **more,
    }


def _shown(owed: Owed) -> Sequence[UUID]:
    return owed.event_ids[: journal.IDS]


def _moved(moves: Iterable[Move]) -> Iterable[journal.Row]:
    for move in moves:
        yield {
            "subject": str(move.subject),
            "version": move.version,
            "owed_to": list(move.destinations),
            **_named(move.news),
        }


def _ended(ends: Iterable[End]) -> Iterable[journal.Row]:
    for end in ends:
        yield {"outcome": end.outcome, **_named([end.event])}


def _named(events: Sequence[Event]) -> journal.Row:
    requests = dict.fromkeys(event.request_id for event in events if event.request_id)
    return {
        "request_ids": journal.listed(list(requests)),
        "event_ids": journal.listed([event.id for event in events]),
    }
