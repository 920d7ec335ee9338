"""Bodies of every format: a genuine request in, one bounded JSON-like document out."""

import re
from typing import Literal, assert_never
from urllib.parse import parse_qsl

from service.domain.errors import ConfigurationError
from service.intake.provider import RawRequest
from service.intake.reading import cloudevents, mapping, markup
from service.intake.reading.mapping import MAX_DEPTH, Unreadable, shown
from service.intake.reading.paths import JSON

Format = Literal["json", "form", "xml", "cloudevents"]

MAX_FIELDS = 1000

_FIELD = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])+)")
_STEP = re.compile(r"\[([^\[\]]*)\]")


def form(word: str) -> Format:
    """Take a format of the settings that can be read."""
    match word:
        case "json" | "form" | "xml" | "cloudevents":
            return word
        case _:
            raise ConfigurationError(f"Bodies in the format {word} cannot be read yet.")


def read(form: Format, request: RawRequest) -> JSON:
    """Read the body as configured, whatever its Content-Type claims; raises only Unreadable."""
    match form:
        case "json":
            return mapping.read(request.body)
        case "form":
            return read_form(request.body)
        case "xml":
            return markup.read(request.body)
        case "cloudevents":
            return cloudevents.read(request)
        case other:
            assert_never(other)


def read_form(body: bytes) -> JSON:
    """Read application/x-www-form-urlencoded: texts by name, lists where a name comes again.

    `order[lines][0][sku]=A` nests, as PHP and many others write it: objects by name, lists where
    the names are 0, 1, 2 … or empty.
    """
    tree: dict[str, JSON] = {}
    for name, value in _pairs(body):
        found = _FIELD.fullmatch(name)
        steps = [found[1], *_STEP.findall(found[2])] if found else [name]
        if len(steps) > MAX_DEPTH:
            raise Unreadable(f"The body nests deeper than {MAX_DEPTH} levels.")
        _plant(tree, steps, value)
    return {name: _listed(value) for name, value in tree.items()}


def _pairs(body: bytes) -> list[tuple[str, str]]:
    text = body.rstrip(b"\r\n").decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise Unreadable(_NOT_PAIRS)
    try:
        return parse_qsl(
            text,
            keep_blank_values=True,
            strict_parsing=bool(text),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except UnicodeError:
        raise Unreadable("The body is not a form: it is not UTF-8 in percent-encoding.") from None
    except ValueError:
        raise Unreadable(_NOT_PAIRS) from None


_NOT_PAIRS = (
    "The body is not a form: it is not NAME=VALUE joined by & in percent-encoding, "
    f"or has more than {MAX_FIELDS} fields."
)


def _plant(tree: dict[str, JSON], steps: list[str], value: str) -> None:
    *parents, last = steps
    for step in parents:
        inner = tree.setdefault(step or str(len(tree)), {})
        if not isinstance(inner, dict):
            raise Unreadable(f"The field {shown(step)} is both a text and a table.")
        tree = inner
    last = last or str(len(tree))
    there = tree.get(last)
    match there:
        case dict():
            raise Unreadable(f"The field {shown(last)} is both a text and a table.")
        case list():
            there.append(value)
        case _:
            tree[last] = value if last not in tree else [there, value]


def _listed(node: JSON) -> JSON:
    """Turn tables whose names count from 0 into lists."""
    if not isinstance(node, dict):
        return node
    inner = {name: _listed(value) for name, value in node.items()}
    counted = [str(place) for place in range(len(inner))]
    return [inner[name] for name in counted] if inner.keys() == set(counted) else inner
