"""What a sender signs: a template and a raw request come in, the signed bytes go out.

Shared by every scheme that signs a message made of parts, whatever it signs it with.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Literal, Self, assert_never
from zlib import crc32

from service.domain.refusals import Cause
from service.intake.provider import Forged, RawRequest, parameters
from service.intake.verification import signing
from service.settings import Source

Unit = Literal["s", "ms", "iso", "http"]

_PLACEHOLDER = re.compile(r"\{(\w+)(?::([^{}]*))?\}")
_NAMED = frozenset({"header", "query", "option"})
_ISO = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:?\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Filling:
    """What a message takes from beside the request's own parts."""

    time: str = ""
    """The time of signing as it was sent."""
    id: str = ""
    url: str = ""
    """The full address the sender was given; empty: the one it posted to, as configured."""
    options: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """A message such as `{time}.{body}`.

    Known: {body} {body64} {crc32} (of the body, decimal) {time} {id} {method} {path} {query} {url}
    {header:Name} {query:name} {option:name} (of the source).
    """

    parts: Sequence[str | tuple[str, str]]

    @classmethod
    def of(cls, text: str) -> Self:
        """Compile; an unknown placeholder is a mistake of whoever wrote the preset."""
        parts: list[str | tuple[str, str]] = []
        end = 0
        for found in _PLACEHOLDER.finditer(text):
            word, name = found[1], found[2]
            if word not in (_PLAIN if name is None else _NAMED):
                raise ValueError(f"There is no {found[0]} to sign.")
            parts += [text[end : found.start()], (word, name or "")]
            end = found.end()
        return cls(tuple(part for part in (*parts, text[end:]) if part))

    def uses(self, word: str) -> bool:
        """Whether the message has this placeholder, given without its name."""
        return any(not isinstance(part, str) and part[0] == word for part in self.parts)

    def write(self, request: RawRequest, filling: Filling) -> bytes | Forged:
        """Write the message; what must be there once and is not refuses the request."""
        written: list[bytes] = []
        for part in self.parts:
            value = part.encode() if isinstance(part, str) else _value(*part, request, filling)
            if isinstance(value, Forged):
                return value
            written.append(value)
        return b"".join(written)


def _value(word: str, name: str, request: RawRequest, filling: Filling) -> bytes | Forged:
    match word:
        case "header":
            return _raw(signing.single(request, name))
        case "query" if name:
            return _raw(_parameter(request, name))
        case "option":
            return filling.options.get(name, "").encode()
        case "url" if not (filling.url or request.url):
            return Forged(_NO_URL)
        case _:
            return _PLAIN[word](request, filling)


_NO_URL = (
    "What is signed holds the address the sender was given, which is not known here: set "
    "public_url of [server], or options.url of this source."
)


_PLAIN: Mapping[str, Callable[[RawRequest, Filling], bytes]] = {
    "body": lambda request, _: request.body,
    "body64": lambda request, _: b64encode(request.body),
    "crc32": lambda request, _: b"%d" % crc32(request.body),
    "method": lambda request, _: signing.raw(request.method),
    "path": lambda request, _: signing.raw(request.path),
    "query": lambda request, _: signing.raw(request.query),
    "time": lambda _, filling: signing.raw(filling.time),
    "id": lambda _, filling: signing.raw(filling.id),
    "url": lambda request, filling: signing.raw(filling.url or request.url),
}


def _raw(value: str | Forged) -> bytes | Forged:
    return value if isinstance(value, Forged) else signing.raw(value)


def _parameter(request: RawRequest, name: str) -> str | Forged:
    values = [value for key, value in parameters(request.query) if key == name]
    match values:
        case [value] if len(value) <= signing.MAX_HEADER:
            return value
        case [_]:
            return Forged(f"The parameter {name} is longer than {signing.MAX_HEADER} bytes.")
        case []:
            return Forged(f"The parameter {name} is missing.", cause=Cause.MISSING)
        case _:
            why = f"The parameter {name} was sent {len(values)} times; only once is safe."
            return Forged(why, cause=Cause.REPEATED)


def find(
    place: str, request: RawRequest, *, pairs: Callable[[str], str | Forged] | None = None
) -> str | Forged:
    """Take what stands at `header:Name`, `query:name` or, in a list of pairs, `pair:name`."""
    kind, _, name = place.partition(":")
    match kind:
        case "header":
            return signing.single(request, name)
        case "query":
            return _parameter(request, name)
        case "pair" if pairs is not None:
            return pairs(name)
        case _:
            raise ValueError(f"{place!r} is no place in a request.")


def skew(text: str, unit: Unit, *, now: datetime) -> timedelta | None:
    """Read the sender's clock minus ours; None where it is no such time."""
    match unit:
        case "s":
            return signing.clock(text, now=now)
        case "ms":
            return signing.clock(text, now=now, milliseconds=True)
        case "iso" | "http":
            moment = _iso(text) if unit == "iso" else _http(text)
            return moment - now if moment else None
        case other:
            assert_never(other)


def _iso(text: str) -> datetime | None:
    """Read RFC 3339; without a zone it is UTC."""
    if _ISO.fullmatch(text) is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _http(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def options(source: Source) -> dict[str, str]:
    """Take the options of a source that are texts, for {option:…}."""
    return {name: value for name, value in source.options.items() if isinstance(value, str)}


def address(source: Source) -> str:
    """Take the address the sender was given, where the source sets it; empty: as configured."""
    url = source.options.get("url")
    return url if isinstance(url, str) else ""
