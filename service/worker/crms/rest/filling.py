"""Templates and what is known go in; the pieces of one request come out, encoded by their place.

No value is ever spliced into text that is parsed later: paths and queries are percent-encoded, in
JSON it is a JSON value, in a header it cannot end the line.
"""

from collections.abc import Mapping
from decimal import Decimal
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain import templates
from service.domain.templates import Slot, Template
from service.worker.crms import client

Values = Mapping[str, object]
"""By placeholder; None, or nothing, has no value. `field` holds a table."""
DOTS = frozenset({".", ".."})
MISSING = object()


class Unfillable(Exception):
    """A sentence that says why a request cannot be made from this change."""


def text_of(value: object) -> str:
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case int():
            return str(value)
        case _:
            return client.encode(value).decode()


def with_parts(parts: Mapping[str, JsonValue], values: Values) -> Values:
    """The values, and every named structure filled with them; one that cannot be has no value."""
    made = {name: structure(part, values) for name, part in parts.items()}
    return {**values, **{name: None if part is MISSING else part for name, part in made.items()}}


def path(text: str, values: Values) -> str:
    """A path with its query; raises Unfillable when a place in it has no value."""
    template = templates.parse(text)
    filled = "".join(
        piece if isinstance(piece, str) else _needed(piece, values) for piece in template
    )
    if DOTS & set(filled.partition("?")[0].split("/")):
        raise Unfillable("A value of dots would lead to another address.")
    return filled


def _needed(slot: Slot, values: Values) -> str:
    text = _slot(slot, values)
    if not text:
        raise Unfillable(f"There is no value for {slot} in the path.")
    return quote(text, safe="")


def query(table: Mapping[str, JsonValue], values: Values) -> str:
    """Parameters, percent-encoded; those without a value are left out."""
    pairs = [
        (name, filled)
        for name, value in table.items()
        for each in (value if isinstance(value, list) else [value])
        if (filled := _parameter(each, values)) is not None
    ]
    return urlencode(pairs, quote_via=quote)


def _parameter(value: JsonValue, values: Values) -> str | None:
    if isinstance(value, str):
        return text(value, values)
    return None if value is None else text_of(value)


def headers(table: Mapping[str, str], values: Values) -> dict[str, str]:
    """Headers that cannot end their line; those without a value are left out."""
    found = {name: text(value, values) for name, value in table.items()}
    return {name: _line(value) for name, value in found.items() if value}


def _line(value: str) -> str:
    whole = value.isascii() and value.isprintable()
    return value if whole else client.header_safe(value)


def text(template: str, values: Values) -> str | None:
    """None when a place in it has no value."""
    found = [
        piece if isinstance(piece, str) else _slot(piece, values)
        for piece in templates.parse(template)
    ]
    known = [piece for piece in found if piece is not None]
    return "".join(known) if len(known) == len(found) else None


def structure(content: JsonValue, values: Values) -> object:
    """JSON; what has no value is left out with its key, and MISSING when nothing is left."""
    match content:
        case str():
            return _leaf(templates.parse(content), content, values)
        case dict():
            filled = {
                text(name, values): structure(inner, values) for name, inner in content.items()
            }
            return {
                name: inner
                for name, inner in filled.items()
                if name is not None and inner is not MISSING
            }
        case list():
            inside = [structure(inner, values) for inner in content]
            return [inner for inner in inside if inner is not MISSING]
        case _:
            return content


def _leaf(template: Template, content: str, values: Values) -> object:
    """A text that is one placeholder becomes the value as it is: a number stays a number."""
    match template:
        case (Slot(filters=()) as slot,):
            value = _value(slot, values)
            return MISSING if value is None else value
        case _:
            filled = text(content, values)
            return MISSING if filled is None else filled


def body(content: JsonValue, encoding: str, values: Values) -> tuple[bytes, dict[str, str]]:
    """The bytes of a body and the header that names their kind."""
    filled = structure(content, values)
    if content is None or filled is MISSING:
        return b"", {}
    if encoding == "json":
        return client.encode(filled), {"Content-Type": "application/json"}
    table = filled if isinstance(filled, dict) else {}
    pairs = [
        (str(name), text_of(each))
        for name, value in table.items()
        for each in (value if isinstance(value, list) and encoding == "form" else [value])
        if each is not None
    ]
    return urlencode(pairs).encode(), {"Content-Type": "application/x-www-form-urlencoded"}


def _slot(slot: Slot, values: Values) -> str | None:
    value = _value(slot, values)
    return None if value is None else templates.filtered(slot, text_of(value))


def _value(slot: Slot, values: Values) -> object:
    value = values.get(slot.name)
    if slot.member is not None:
        return value.get(slot.member) if isinstance(value, Mapping) else None
    return value
