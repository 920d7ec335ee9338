"""Reading what a sender wrote: bounded JSON and JMESPath in, clean canonical parts out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

import orjson

from service.domain import keys, moments
from service.domain.events import Alias, AttributeValue, Fate, Statement
from service.intake.provider import RawRequest
from service.intake.reading.paths import JSON, Path
from service.settings import Source

MAX_DEPTH = 64
MAX_ITEMS = 1000
MAX_ATTRIBUTES = 64
MAX_VALUE = 1024
_MAX_DIGITS = 64
_MAX_SHOWN = 120


class Unreadable(ValueError):
    """What was sent cannot be understood; the sentence says why."""


def read(body: bytes) -> JSON:
    """Parse strict JSON of bounded depth; of a key written twice the last one counts."""
    try:
        document: JSON = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"The body is not JSON: {error.msg} at position {error.pos}.") from None
    # Fewer brackets than that cannot nest deeper, which spares most bodies the walk.
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_deep(document):
        raise Unreadable(_TOO_DEEP)
    return document


_TOO_DEEP = f"The body nests deeper than {MAX_DEPTH} levels."


def _is_deep(document: JSON) -> bool:
    level: list[JSON] = [document]
    for _ in range(MAX_DEPTH):
        level = [inner for node in level for inner in _inside(node)]
    return any(isinstance(node, dict | list) for node in level)


def _inside(node: JSON) -> Iterable[JSON]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def name(value: JSON) -> str | None:
    """Take an identity (reference, key, code): clean text or a whole number of exact size.

    A fraction is refused: JSON integers beyond 64 bits arrive as floats, and two such numbers
    may become one.
    """
    if isinstance(value, str):
        return keys.clean_text(value) if value.strip() else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def attribute(value: JSON) -> AttributeValue | None:
    """Take a fact: a flag, clean text of bounded size, or a number as exact decimal text."""
    match value:
        case str():
            return keys.clean_text(value, limit=MAX_VALUE)
        case bool():
            return value
        case int():
            return str(value)
        case float():
            text = format(Decimal(repr(value)), "f")
            return text if len(text) <= _MAX_DIGITS else None
        case _:
            return None


def word(value: JSON) -> str | None:
    """Take a sender's status word; flags read as `true` and `false`."""
    return str(value).lower() if value is True or value is False else name(value)


def flag(value: JSON) -> bool:
    """Take a yes or no: anything but nothing, false and zero is a yes."""
    return value not in (None, False, "", "false")


def attributes(paths: Mapping[str, Path], document: JSON) -> tuple[dict[str, AttributeValue], str]:
    """Collect the facts that are there; the note names those that had to be left out."""
    kept: dict[str, AttributeValue] = {}
    lost: list[str] = []
    for label, path in paths.items():
        found = path.search(document)
        if found is None:
            continue
        value = attribute(found)
        if value is not None and len(kept) < MAX_ATTRIBUTES:
            kept[label] = value
        else:
            lost.append(label)
    return kept, _left_out(lost) if lost else ""


def _left_out(lost: Sequence[str]) -> str:
    bounds = f"a flag, a number or a text of at most {MAX_VALUE} bytes, {MAX_ATTRIBUTES} in all"
    return f"Left out (an attribute is {bounds}): {', '.join(lost)[:MAX_VALUE]}."


class Named(NamedTuple):
    """The subject an item names; without a reference the note says what was looked for."""

    ref: str | None
    scope: str = ""
    note: str = ""
    aliases: tuple[Alias, ...] = ()
    parcel: str | None = None
    returns: bool = False


@dataclass(frozen=True, slots=True)
class Naming:
    """A source's rules for finding the subject, its other names and the parcel."""

    lifecycle: str
    scope: Path | None
    ref: Path | None
    normalize: tuple[str, ...]
    aliases: Mapping[str, Path]
    parcel: Path | None
    returns: Path | None = None

    @classmethod
    def of(cls, source: Source, ref: str | None) -> Self:
        """Take the source's rules; `ref` stands in where it sets none."""
        rule = source.subject
        return cls(
            rule.lifecycle,
            Path.of(rule.scope) if rule.scope else None,
            Path.of(ref) if ref else None,
            rule.normalize,
            {kind: Path.of(place) for kind, place in rule.aliases.items()},
            Path.of(rule.parcel) if rule.parcel else None,
            Path.of(rule.returns) if rule.returns else None,
        )

    def find(self, document: JSON) -> Named:
        named = self._referred(document)
        if not self.aliases and self.parcel is None and self.returns is None:
            return named
        parcel = name(self.parcel.find(document)) if self.parcel else None
        back = flag(self.returns.find(document)) if self.returns else False
        return named._replace(aliases=self._aliases(document), parcel=parcel, returns=back)

    def _aliases(self, document: JSON) -> tuple[Alias, ...]:
        """Collect the names; a list holds several of one kind."""
        found: dict[Alias, None] = {}
        for kind, path in self.aliases.items():
            said = path.find(document)
            for each in said if isinstance(said, list) else (said,):
                if value := name(each):
                    found[Alias(kind, value)] = None
        return tuple(found)

    def _referred(self, document: JSON) -> Named:
        found = self.ref.find(document) if self.ref else None
        ref = name(found)
        if ref and self.normalize:
            for step in self.normalize:
                ref = normal(ref, step)
            # Upper-casing may lengthen a text, so the bound is checked once more.
            ref = name(ref)
        if ref is None:
            return Named(None, note=_nameless(self.lifecycle, found, self.ref))
        if self.scope is None:
            return Named(ref)
        found = self.scope.find(document)
        scope = name(found)
        # Without its scope a reference may be another shop's order.
        return (
            Named(ref, scope) if scope else Named(None, note=_nameless("scope", found, self.scope))
        )


def _nameless(what: str, found: JSON, path: Path | None) -> str:
    if path is None:
        return f"names no {what}: nothing tells where its number is, and no other name was found."
    place = shown(path.expression)
    if found is None:
        return f"names no {what}: there is nothing at {place}."
    return (
        f"names no usable {what}: what is at {place} is not a text of 1 to 256 bytes "
        "nor a whole number of at most 64 bits."
    )


def normal(text: str, step: str) -> str:
    verb, _, argument = step.partition(":")
    match verb:
        case "trim":
            return text.strip()
        case "upper":
            return text.upper()
        case "lower":
            return text.lower()
        case "strip_prefix":
            return text.removeprefix(argument)
        case _:
            raise ValueError(f"There is no normalize step {step!r}.")


@dataclass(frozen=True, slots=True)
class Dating:
    """A source's rule for times."""

    zone: tzinfo
    max_future: timedelta
    formats: tuple[str, ...] = ("auto",)

    @classmethod
    def of(cls, source: Source, *, zone: str = "") -> Self:
        """Take the source's rules; `zone` stands in where it sets none."""
        name = source.timezone if "timezone" in source.model_fields_set else zone or source.timezone
        # "UTC" must work on systems without a time zone database.
        where = UTC if name == "UTC" else ZoneInfo(name)
        return cls(where, source.max_future, source.time_formats)

    def read(self, value: JSON, *, received_at: datetime) -> tuple[datetime | None, str]:
        """Fix the time of an event once; a time that cannot be believed makes it untimed."""
        for form in self.formats:
            moment = moments.parse_as(value, form, zone=self.zone)
            if moment is not None:
                break
        else:
            return None, "Untimed: it carries no time that can be read."
        if moment > received_at + self.max_future:
            ahead = (moment - received_at).total_seconds()
            return None, f"Untimed: its time lies {ahead:.0f} s after its receipt."
        return moment, ""


def unreadable(request: RawRequest, why: str, *, item: int | None = None) -> Statement:
    """State that a request, or one item of it, cannot be read; keyed by its bytes."""
    return Statement(dedupe_key=item_key(request, item), fate=Fate.UNREADABLE, note=why)


def item_key(request: RawRequest, item: int | None) -> str:
    body = keys.body_key(request.body)
    return body if item is None else f"{body}:{item}"


def shown(text: str) -> str:
    """Quote a text of the configuration or of a sender in a sentence: printable and cut short."""
    cut = f"{text[:_MAX_SHOWN]}…" if len(text) > _MAX_SHOWN else text
    return f"`{cut if cut.isprintable() else ''.join(map(_printable, cut))}`"


def _printable(character: str) -> str:
    return character if character.isprintable() else "\ufffd"


def sentences(*parts: str) -> str:
    return " ".join(part for part in parts if part)
