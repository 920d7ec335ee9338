"""Routes: what changed on a subject comes in, the destinations that should know go out.

Patterns look at what was said, `when` looks at the subject after it was folded: so `vip` or an
amount that the shop told earlier also routes what the courier says now.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal, TypedDict

import jmespath
from jmespath.parser import ParsedResult

from service.domain.events import AttributeValue, Event

PriorityName = Literal["high", "normal", "low"]
PRIORITIES: Mapping[PriorityName, int] = {"high": 1, "normal": 5, "low": 9}

_BAD_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


class View(TypedDict):
    """A folded subject as `when` sees it; numbers are decimal text, as everywhere."""

    lifecycle: str
    scope: str
    ref: str
    status: str
    lanes: dict[str, str]
    parcels: dict[str, dict[str, str]]
    attributes: dict[str, AttributeValue]
    flags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled `when`."""

    expression: str
    compiled: ParsedResult

    @classmethod
    def of(cls, expression: str) -> "Condition":
        return cls(expression, jmespath.compile(expression))

    def holds(self, view: View) -> bool:
        """JMESPath's own truth: null, false and what is empty are no; every number is a yes.

        A function that does not suit the data makes it a no.
        """
        try:
            # A tuple would be no array to JMESPath.
            found: object = self.compiled.search({**view, "flags": list(view["flags"])})
        except _BAD_DATA:
            return False
        return not (found is None or found is False or found in ("", [], {}))


@dataclass(frozen=True, slots=True)
class Route:
    """Sends what the named sources say with the named events to destinations.

    `sources` and `events` are shell patterns; an event reads `{lifecycle}.{lane}.{status}`, one
    that carries attributes only reads `{lifecycle}.attributes`.
    """

    sources: Sequence[str]
    events: Sequence[str]
    destinations: Sequence[str]
    when: Condition | None = None
    priority: int = PRIORITIES["normal"]

    def takes(self, event: Event) -> bool:
        return self._hears(event.source, spoken(event))

    def holds(self, view: View) -> bool:
        return self.when is None or self.when.holds(view)

    def takes_any(self, said: Iterable[tuple[str, str]]) -> bool:
        return any(self._hears(source, name) for source, name in said)

    def _hears(self, source: str, name: str) -> bool:
        return any(fnmatchcase(source, pattern) for pattern in self.sources) and any(
            fnmatchcase(name, pattern) for pattern in self.events
        )


def spoken(event: Event) -> str:
    """The name of an event as routes see it."""
    said = event.statement
    strand = f"{said.lane}.{said.status}" if said.lane and said.status else "attributes"
    return f"{said.lifecycle}.{strand}"


def destinations(
    routes: Iterable[Route], events: Sequence[Event], view: View, *, before: View | None = None
) -> dict[str, int]:
    """Every destination that one of the events leads to now, with its best priority.

    `before` is the subject without these events. Where `when` holds now and did not then, the
    events count as having said all that is known: whoever waits for paid VIP orders hears of one
    that was paid first and turned out to be a VIP's later, not only of the other order of arrival.
    """
    said = {(event.source, spoken(event)) for event in events}
    return _best(
        route
        for route in routes
        if route.holds(view)
        and (
            route.takes_any(said)
            or (_opens(route, before) and route.takes_any(_said_anew(events, view)))
        )
    )


def standing(routes: Iterable[Route], events: Sequence[Event], view: View) -> dict[str, int]:
    """Every destination that should know a subject as it stands, with its best priority.

    For what changes a subject without a new event (a correction, a roll-back, a link, a merge):
    `events` are all that remain. A route fits if it takes one of them, or if it would take the
    present state, were it said by one of their sources.
    """
    said = {(event.source, spoken(event)) for event in events} | set(_said_anew(events, view))
    return _best(route for route in routes if route.takes_any(said) and route.holds(view))


def _opens(route: Route, before: View | None) -> bool:
    """Whether what it waits for did not hold then."""
    return route.when is not None and before is not None and not route.when.holds(before)


def _said_anew(events: Iterable[Event], view: View) -> list[tuple[str, str]]:
    """The present state, as if each source of the events said all of it again."""
    sources = sorted({event.source for event in events})
    return [(source, name) for source in sources for name in _names(view)]


def _names(view: View) -> Iterator[str]:
    yield f"{view['lifecycle']}.attributes"
    for lane, status in view["lanes"].items():
        yield f"{view['lifecycle']}.{lane}.{status}"


def _best(routes: Iterable[Route]) -> dict[str, int]:
    best: dict[str, int] = {}
    for route in routes:
        for name in route.destinations:
            best[name] = min(route.priority, best.get(name, route.priority))
    return dict(sorted(best.items()))
