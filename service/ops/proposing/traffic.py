"""Captured requests come in; their format, their events and every field with its values go out."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from service.intake.provider import RawRequest
from service.intake.reading import bodies, cloudevents
from service.intake.reading.bodies import Format
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.ops.proposing import names
from service.settings.values import check_expression

MOST_EVENTS = 500
MOST_FIELDS = 500
DEEPEST = 8
FORMATS: tuple[Format, ...] = ("cloudevents", "json", "xml", "form")

_PLAIN = re.compile(r"[A-Za-z_]\w*", re.ASCII)

Object = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Field:
    """One place of the events."""

    path: str
    """As JMESPath."""
    steps: tuple[str, ...]
    values: Sequence[JSON]
    """What stands there in each event; None where nothing does."""

    @property
    def there(self) -> Sequence[JSON]:
        return [value for value in self.values if value is not None]

    @property
    def share(self) -> float:
        """In how many of the events it is, from 0 to 1."""
        return len(self.there) / len(self.values)


@dataclass(frozen=True, slots=True)
class Event:
    content: Object
    request: RawRequest


@dataclass(frozen=True, slots=True)
class Traffic:
    """Captured requests of one format."""

    requests: Sequence[RawRequest]
    form: Format
    items: str | None
    """JMESPath to the events of a request; None where it is one event, or a list of them."""
    batched: bool
    events: Sequence[Event]
    fields: Sequence[Field]
    unread: int
    """Requests that are not of the format."""


def read(requests: Sequence[RawRequest]) -> Traffic:
    """Read what most of the requests are."""
    posted = [request for request in requests if request.method == "POST" and request.body]
    form, documents = max(
        ((form, _documents(form, posted)) for form in FORMATS), key=lambda found: len(found[1])
    )
    items = _items([document for _, document in documents]) if form != "cloudevents" else None
    events = list(islice(_events(documents, items), MOST_EVENTS))
    return Traffic(
        requests=posted,
        form=form if documents else "json",
        items=items,
        batched=bool(items) or any(isinstance(document, list) for _, document in documents),
        events=events,
        fields=fields([event.content for event in events]),
        unread=len(posted) - len(documents),
    )


def _documents(form: Format, requests: Sequence[RawRequest]) -> list[tuple[RawRequest, JSON]]:
    """Read the requests that are of a format; a text alone is of none."""
    found: list[tuple[RawRequest, JSON]] = []
    for request in requests:
        try:
            document = bodies.read(form, request)
        except Unreadable:
            continue
        if isinstance(document, dict | list) and _is_of(form, document):
            found.append((request, document))
    return found


def _is_of(form: Format, document: JSON) -> bool:
    """Tell CloudEvents from other JSON, and a form from a text that happens to hold no `=`."""
    match form:
        case "cloudevents":
            first = document[0] if isinstance(document, list) and document else document
            return _is_cloud_event(first)
        case "form":
            return bool(document)
        case _:
            return True


def _is_cloud_event(document: JSON) -> bool:
    try:
        return bool(cloudevents.envelope(document))
    except Unreadable:
        return False


def _items(documents: Sequence[JSON]) -> str | None:
    """Find the list whose members say more about orders than what is around it."""
    objects = [document for document in documents if isinstance(document, dict)]
    if not objects or len(objects) < len(documents):
        return None
    around = _worth(objects)
    lists = {path for document in objects for path in _lists(document, ())}
    best = max(lists, key=lambda path: (_worth(_members(objects, path)), -len(path)), default=None)
    if best is None or _worth(_members(objects, best)) <= around:
        return None
    path = expression(best)
    everywhere = path is not None and all(_at(document, best) for document in objects)
    return path if everywhere else None


def _worth(objects: Sequence[Object]) -> int:
    """Weigh what objects say: which order and what happened count most."""
    found = {names.kind(steps) for each in objects[:MOST_EVENTS] for steps, _ in _leaves(each, ())}
    return sum(names.WORTH.get(kind, 0) for kind in found)


def _lists(node: JSON, steps: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    if not isinstance(node, dict) or len(steps) >= DEEPEST:
        return
    for key, value in node.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            yield (*steps, key)
        yield from _lists(value, (*steps, key))


def _members(objects: Sequence[Object], steps: tuple[str, ...]) -> list[Object]:
    return [each for document in objects for each in _at(document, steps)]


def _at(document: JSON, steps: tuple[str, ...]) -> list[Object]:
    for step in steps:
        document = document.get(step) if isinstance(document, dict) else None
    found = document if isinstance(document, list) else []
    return [each for each in found if isinstance(each, dict)]


def _events(documents: Sequence[tuple[RawRequest, JSON]], items: str | None) -> Iterator[Event]:
    for request, document in documents:
        found = Path.of(items).find(document) if items else document
        for each in found if isinstance(found, list) else [found]:
            if isinstance(each, dict):
                yield Event(each, request)


def fields(events: Sequence[Object]) -> list[Field]:
    """List every place of the events that holds a single value and that a JMESPath can name."""
    found: dict[tuple[str, ...], list[JSON]] = {}
    for number, event in enumerate(events):
        for steps, value in _leaves(event, ()):
            if steps in found or len(found) < MOST_FIELDS:
                found.setdefault(steps, [None] * len(events))[number] = value
    return [
        Field(path, steps, values)
        for steps, values in found.items()
        if (path := expression(steps)) is not None and any(value is not None for value in values)
    ]


def _leaves(node: JSON, steps: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], JSON]]:
    if isinstance(node, dict):
        for key, value in node.items() if len(steps) < DEEPEST else ():
            yield from _leaves(value, (*steps, key))
    elif steps and not isinstance(node, list):
        yield steps, node


def expression(steps: Sequence[str]) -> str | None:
    """Write a place as JMESPath; None where none can name it."""
    path = ".".join(
        step if _PLAIN.fullmatch(step) else json.dumps(step, ensure_ascii=False) for step in steps
    )
    try:
        return check_expression(path)
    except ValueError:
        return None
