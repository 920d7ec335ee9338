"""The fields of captured events come in; which of them a mapping should read goes out."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC

import orjson

from service.domain import moments
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.paths import JSON
from service.ops.proposing import names, words
from service.ops.proposing.names import Kind
from service.ops.proposing.traffic import Event, Field, Traffic
from service.settings.values import HEADER

LONGEST = 128
"""Numbers of orders and ids of events are short."""
MOST_WORDS = 60
PATTERNS = (
    *("%d.%m.%Y %H:%M:%S", "%d.%m.%Y %H:%M", "%d/%m/%Y %H:%M:%S", "%m/%d/%Y %H:%M:%S"),
    *("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M", "%Y/%m/%d %H:%M:%S", "%Y%m%d%H%M%S"),
    *("%a, %d %b %Y %H:%M:%S %z", "%d.%m.%Y", "%Y-%m-%d"),
)
_ZONE = re.compile(r".*(?:Z|[+-]\d\d:?(?:\d\d)?)", re.ASCII | re.IGNORECASE)
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,8})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)
_ID_HEADER = re.compile(
    r"(?:.*-)?(?:event|message|msg|delivery|webhook|notification|idempotency)-?(?:id|key|uuid)"
)


@dataclass(frozen=True, slots=True)
class Times:
    """How the times at a place are written."""

    formats: tuple[str, ...]
    zoned: bool
    others: tuple[str, ...] = ()
    """Patterns that would read them, too."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What a mapping should read; None where nothing fits."""

    key: str | None
    key_seen: Sequence[JSON]
    ref: Field | None
    alias: Field | None
    occurred_at: Field | None
    times: Times | None
    status: Field | None
    rivals: Sequence[Field]
    """Other places that may be the status."""
    statuses: Mapping[str, str | None] = field(default_factory=dict)
    """Each word seen, and what it means."""
    attributes: Mapping[str, Field] = field(default_factory=dict)


def choose(seen: Traffic) -> Choice:
    """Pick the places by their names first, and by what stands there."""
    ref = _best(seen, "ref", _is_name)
    alias = _best(seen, "alias", _is_name)
    key, key_seen = _key(seen, ref)
    occurred_at, times = _occurred_at(seen)
    states = list(_states(seen))
    status = states[0] if states else None
    said = (
        sorted({word for value in status.there if (word := mapping.word(value))}) if status else []
    )
    return Choice(
        key=key,
        key_seen=key_seen,
        ref=ref,
        alias=alias,
        occurred_at=occurred_at,
        times=times,
        status=status,
        rivals=states[1:4],
        statuses={word: words.target(word) for word in said[:MOST_WORDS]},
        attributes=_attributes(seen, alias),
    )


Fits = Callable[[JSON], bool]


def _ranked(seen: Traffic, kind: Kind, fits: Fits) -> list[tuple[int, Field]]:
    """List the places that may be of a kind, the most usual first."""
    found = [
        (rank, place)
        for place in seen.fields
        if (rank := names.rank(kind, place.steps)) is not None and all(map(fits, place.there))
    ]
    # What only few events have is less worth than a less usual name that all have.
    return sorted(found, key=lambda one: (one[1].share < 0.5, one[0], len(one[1].steps)))


def _best(seen: Traffic, kind: Kind, fits: Fits) -> Field | None:
    ranked = _ranked(seen, kind, fits)
    return ranked[0][1] if ranked else None


def _is_name(value: JSON) -> bool:
    name = mapping.name(value)
    return name is not None and len(name) <= LONGEST


def _key(seen: Traffic, ref: Field | None) -> tuple[str | None, Sequence[JSON]]:
    """Find the event's own id: in the body under a telling name, in a header, else under any."""
    if seen.form == "cloudevents":
        return None, ()
    plain = names.USUAL["key"].index("uuid")
    inside = [
        (rank, place)
        for rank, place in _ranked(seen, "key", _is_name)
        if (ref is None or place.path != ref.path) and _names_events(place, seen.events)
    ]
    telling = [place for rank, place in inside if rank < plain]
    if telling:
        return telling[0].path, telling[0].values
    for name in id_headers(seen.requests):
        values = [request.header(name) for request in seen.requests]
        if _names_bodies(values, seen.requests):
            return f"header:{spelled(name)}", list(values)
    return (inside[0][1].path, inside[0][1].values) if inside else (None, ())


def _names_events(place: Field, events: Sequence[Event]) -> bool:
    """Whether no value stands for two different events; repeated deliveries are one."""
    contents: dict[str, bytes] = {}
    for value, event in zip(place.values, events, strict=True):
        name = mapping.name(value)
        content = orjson.dumps(event.content, option=orjson.OPT_SORT_KEYS)
        if name is None or contents.setdefault(name, content) != content:
            return False
    return bool(contents)


def _names_bodies(values: Sequence[str | None], requests: Sequence[RawRequest]) -> bool:
    """Whether each body has one value, and each value one body."""
    there: dict[bytes, str | None] = {}
    for value, request in zip(values, requests, strict=True):
        if mapping.name(value) is None or there.setdefault(request.body, value) != value:
            return False
    return len(set(there.values())) == len(there)


def id_headers(requests: Sequence[RawRequest]) -> Iterator[str]:
    """List the headers of every request that are named like the id of an event."""
    for name in everywhere(requests):
        if _ID_HEADER.fullmatch(name):
            yield name


def everywhere(requests: Sequence[RawRequest]) -> list[str]:
    """List the headers that every request carries exactly once."""
    first = [name for name, _ in requests[0].headers] if requests else []
    return [
        name
        for name in dict.fromkeys(first)
        if re.fullmatch(HEADER, name) and all(request.header(name) for request in requests)
    ]


def spelled(header: str) -> str:
    """Write a header's name as people do."""
    return "-".join(part.capitalize() for part in header.split("-"))


def _occurred_at(seen: Traffic) -> tuple[Field | None, Times | None]:
    for _, place in _ranked(seen, "time", lambda value: isinstance(value, str | int | float)):
        found = times(place.there)
        if found is not None:
            return place, found
    return None, None


def times(values: Sequence[JSON]) -> Times | None:
    """Find how times are written; None where they are none."""
    texts = [value for value in values if isinstance(value, str)]
    if _all_read(values, "auto"):
        zoned = all(map(_ZONE.fullmatch, filter(_is_iso, texts)))
        return Times(("auto",), zoned)
    fitting = tuple(pattern for pattern in PATTERNS if _all_read(values, pattern))
    if not fitting:
        return None
    return Times(fitting[:1], "%z" in fitting[0], fitting[1:])


def _is_iso(text: str) -> bool:
    return not _NUMBER.fullmatch(text.strip())


def _all_read(values: Sequence[JSON], form: str) -> bool:
    return all(moments.parse_as(value, form, zone=UTC) is not None for value in values)


def _states(seen: Traffic) -> Iterator[Field]:
    """List the places that may be the status: those with words we know first."""
    ranked = [
        (_understood(place.there), rank, place)
        for rank, place in _ranked(seen, "status", lambda value: mapping.word(value) is not None)
        if place.share >= 0.5 and len(set(map(str, place.there))) <= MOST_WORDS
    ]
    ranked.sort(key=lambda one: (-round(one[0] * 2), one[1], len(one[2].steps)))
    yield from (place for _, _, place in ranked)


def _understood(values: Iterable[JSON]) -> float:
    said = {str(value) for value in values}
    return sum(words.target(word) is not None for word in said) / len(said)


def _attributes(seen: Traffic, alias: Field | None) -> Mapping[str, Field]:
    found = {
        "amount": _best(seen, "amount", _is_number),
        "currency": _best(seen, "currency", _is_currency),
        "tracking_number": alias,
        "tracking_url": _best(seen, "url", _is_url),
        "carrier": _best(seen, "carrier", _is_name),
    }
    return {label: place for label, place in found.items() if place is not None}


def _is_number(value: JSON) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number or (isinstance(value, str) and bool(_NUMBER.fullmatch(value.strip())))


def _is_currency(value: JSON) -> bool:
    return isinstance(value, str) and bool(_CURRENCY.fullmatch(value))


def _is_url(value: JSON) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://"))
