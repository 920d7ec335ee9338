"""A route's `when` that compiles comes in; what in it can never be found goes out."""

from collections.abc import Iterator, Mapping
from typing import Any

import jmespath

from service.domain.routing import View
from service.settings.problems import Issue
from service.settings.schema import suggest

Node = Mapping[str, Any]
"""A part of an expression, as jmespath's own parser gives it."""

SEEN = tuple(View.__annotations__)
_INTO_FIRST = {
    "index_expression",
    "projection",
    "value_projection",
    "filter_projection",
    "flatten",
    "pipe",
}
"""Only their first child looks at the subject; the others look at what it found."""


def check_condition(expression: str) -> Iterator[Issue]:
    tree: Node = jmespath.compile(expression).parsed
    for name in dict.fromkeys(_asked(tree)):
        if name not in SEEN:
            what = f"A subject has no {name!r}; nothing would ever be found there."
            yield Issue(("when",), what, suggest(name, SEEN))
    if any(_negates_too_early(node) for node in _nodes(tree)):
        yield Issue(
            ("when",),
            "The ! belongs to the first name only, so what follows the dot is never there.",
            "Put the whole path in brackets, as in !(attributes.vip).",
        )


def _asked(node: Node) -> Iterator[str]:
    """The names that are looked up in the subject itself."""
    inner = _inner(node)
    match node["type"]:
        case "field":
            yield node["value"]
        case "expref":
            return
        case "subexpression":
            yield from _asked(inner[1 if inner[0]["type"] == "current" else 0])
        case kind:
            for child in inner[:1] if kind in _INTO_FIRST else inner:
                yield from _asked(child)


def _nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in _inner(node):
        yield from _nodes(child)


def _inner(node: Node) -> list[Node]:
    """Its children; those of a slice are numbers, which look at nothing."""
    return [child for child in node["children"] if isinstance(child, dict)]


def _negates_too_early(node: Node) -> bool:
    first = next(iter(_inner(node)), None)
    return node["type"] == "subexpression" and first is not None and "not_" in first["type"]
