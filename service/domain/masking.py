"""Values that tell of people: a text as it came in, the same with those values hidden out.

Only what is shown is masked; what is stored stays whole, so that it can be read again.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self
from urllib.parse import parse_qsl, urlencode

from service.domain.events import AttributeValue

HIDDEN = "(masked)"
USUAL = (
    *("email", "mail", "phone", "mobile", "first_name", "last_name", "full_name", "surname"),
    *("customer_name", "recipient_name", "address", "address1", "address2", "street", "birthday"),
    *("birth_date", "passport", "iban", "card_number"),
)
"""What is masked unless a source says otherwise."""
ANY = "*"
_XML = re.compile(rb"\s*<")
_FORM = re.compile(rb"[\w.\[\]%+-]+=[^\s<>{}&]*(?:&[\w.\[\]%+-]+=[^\s<>{}&]*)*", re.ASCII)
_ELEMENT = re.compile(
    r"(<([\w:.-]+)(?:\s[^<>]*)?>)([^<]+|<!\[CDATA\[.*?\]\]>)(</\2\s*>)", re.DOTALL
)
_ATTRIBUTE = re.compile(r"([\w:.-]+)=([\"'])[^\"'<]*\2")


@dataclass(frozen=True, slots=True)
class Mask:
    """A field is named alone, wherever it stands, or by its whole path from the top."""

    names: frozenset[str]
    paths: tuple[tuple[str, ...], ...]
    carriers: frozenset[str] = frozenset()
    """Fields of destinations that hidden attributes are written to."""

    @classmethod
    def of(cls, fields: Sequence[str]) -> Self:
        split = [tuple(map(_word, field.split("."))) for field in fields]
        return cls(
            frozenset(path[0] for path in split if len(path) == 1),
            tuple(path for path in split if len(path) > 1),
        )

    def attributes(self, said: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        return {
            name: HIDDEN if self._hides(("attributes", _word(name))) else value
            for name, value in said.items()
        }

    def field(self, name: str, value: str | None) -> str | None:
        """What stands in a field of a destination."""
        hidden = name in self.carriers or self._hides(("attributes", _word(name)))
        return HIDDEN if value and hidden else value

    def carried(self, tables: Iterable[Mapping[str, str]]) -> Self:
        """The same, knowing where attributes go: ours by theirs."""
        pairs = ((ours, theirs) for table in tables for ours, theirs in table.items())
        hidden = {theirs for ours, theirs in pairs if self._hides(("attributes", _word(ours)))}
        return replace(self, carriers=self.carriers | hidden)

    def query(self, text: str) -> str:
        pairs = parse_qsl(text, keep_blank_values=True)
        shown = [(name, HIDDEN if self._hides_name(name) else value) for name, value in pairs]
        return text if shown == pairs else urlencode(shown)

    def body(self, body: bytes) -> bytes:
        """JSON, a form or XML with its fields masked; of anything else nothing is shown."""
        if not body or not (self.names or self.paths):
            return body
        try:
            said = json.loads(body, parse_float=_Number)
        except (ValueError, RecursionError):
            return self._text(body)
        shown = self._masked(said, ())
        return body if shown == said else _written(shown).encode("utf-8", "surrogatepass")

    def _text(self, body: bytes) -> bytes:
        if _FORM.fullmatch(body):
            return self.query(body.decode("ascii")).encode()
        return self._xml(body) if _XML.match(body) else HIDDEN.encode()

    def _xml(self, body: bytes) -> bytes:
        """Elements and attributes of these names, wherever they stand; paths count by their end."""

        def element(found: re.Match[str]) -> str:
            hidden = self._hides_name(found[2].rpartition(":")[2])
            return f"{found[1]}{HIDDEN}{found[4]}" if hidden else found[0]

        def attribute(found: re.Match[str]) -> str:
            hidden = self._hides_name(found[1].rpartition(":")[2])
            return f"{found[1]}={found[2]}{HIDDEN}{found[2]}" if hidden else found[0]

        text = body.decode("utf-8", "surrogateescape")
        masked = _ATTRIBUTE.sub(attribute, _ELEMENT.sub(element, text))
        return masked.encode("utf-8", "surrogateescape")

    def _masked(self, value: object, path: tuple[str, ...]) -> object:
        match value:
            case dict():
                return {name: self._field(name, each, path) for name, each in value.items()}
            case list():
                return [self._masked(each, path) for each in value]
            case _:
                return value

    def _field(self, name: str, value: object, path: tuple[str, ...]) -> object:
        here = (*path, _word(name))
        if self._hides(here):
            return HIDDEN if value not in (None, "", [], {}) else value
        return self._masked(value, here)

    def _hides(self, path: tuple[str, ...]) -> bool:
        return path[-1] in self.names or any(_fits(each, path) for each in self.paths)

    def _hides_name(self, name: str) -> bool:
        """Where there are no paths: forms write theirs as `customer[email]` or `customer.email`."""
        parts = [_word(each) for each in re.split(r"[\[\].]+", name) if each]
        return bool(parts) and (
            self._hides(tuple(parts)) or any(path[-1] == parts[-1] for path in self.paths)
        )


@dataclass(frozen=True, slots=True)
class _Number:
    """A number that is written as it came."""

    text: str


def _written(value: object) -> str:
    match value:
        case _Number():
            return value.text
        case dict():
            fields = (f"{_written(name)}: {_written(each)}" for name, each in value.items())
            return f"{{{', '.join(fields)}}}"
        case list():
            return f"[{', '.join(map(_written, value))}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _fits(pattern: Sequence[str], path: Sequence[str]) -> bool:
    return len(pattern) == len(path) and all(
        wanted in (ANY, name) for wanted, name in zip(pattern, path, strict=True)
    )


def _word(name: str) -> str:
    """As spelled anyhow: firstName, first-name and first_name are one."""
    return name.replace("_", "").replace("-", "").casefold()


USUALLY = Mask.of(USUAL)


def mask_of(fields: Mapping[str, Sequence[str]], source: str) -> Mask:
    """The mask of a source; of one that is not configured, the usual one."""
    return Mask.of(fields[source]) if source in fields else USUALLY


def everybody(fields: Mapping[str, Sequence[str]]) -> Mask:
    """For what several sources said together: hidden by one of them is hidden."""
    said = {field for each in fields.values() for field in each} if fields else set(USUAL)
    return Mask.of(sorted(said))
