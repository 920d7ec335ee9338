"""Routes: what changed on a subject comes in, the destinations that should know go out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from service.domain.events import Event


@dataclass(frozen=True, slots=True)
class Route:
    """Sends what the named sources say with the named events to destinations.

    `sources` and `events` are shell patterns; an event reads `{lifecycle}.{lane}.{status}`, one
    that carries attributes only reads `{lifecycle}.attributes`.
    """

    sources: Sequence[str]
    events: Sequence[str]
    destinations: Sequence[str]

    def takes(self, event: Event) -> bool:
        name = spoken(event)
        return any(fnmatchcase(event.source, pattern) for pattern in self.sources) and any(
            fnmatchcase(name, pattern) for pattern in self.events
        )


def spoken(event: Event) -> str:
    """The name of an event as routes see it."""
    said = event.statement
    strand = f"{said.lane}.{said.status}" if said.lane and said.status else "attributes"
    return f"{said.lifecycle}.{strand}"


def destinations(routes: Iterable[Route], events: Sequence[Event]) -> list[str]:
    """Every destination that one of the events leads to, each once, by name."""
    found = {
        name
        for route in routes
        if any(route.takes(event) for event in events)
        for name in route.destinations
    }
    return sorted(found)
