"""Places in a document: JMESPath expressions in, what stands there out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self, TypeAlias, Union

import jmespath

JSON: TypeAlias = Union[bool, int, float, str, "list[JSON]", "dict[str, JSON]", None]

_BAD_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[-?\d{1,6}\])*", re.ASCII)
_STEP = re.compile(r"([A-Za-z_]\w*)|\[(-?\d+)\]", re.ASCII)
_EMPTY: tuple[JSON, ...] = (None, False, "", [], {})

Steps = Sequence[str | int]
Search = Callable[[JSON], JSON]


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JMESPath."""

    expression: str
    search: Search

    @classmethod
    def of(cls, expression: str) -> Self:
        return cls(expression, _compiled(expression))

    def find(self, document: JSON) -> JSON:
        """Look the value up; a function that does not suit the data finds nothing."""
        try:
            return self.search(document)
        except _BAD_DATA:
            return None


def _compiled(expression: str) -> Search:
    """Walk `a.b[0] || c` without the interpreter, ten times as fast; leave it all else."""
    if expression in _CONSTANT:
        return partial(_constant, _CONSTANT[expression])
    searches = [_search(part) for part in _alternatives(expression)]
    return searches[0] if len(searches) == 1 else partial(_first, searches)


_CONSTANT: Mapping[str, JSON] = {"`null`": None, "`true`": True, "`false`": False}


def _constant(value: JSON, _: JSON) -> JSON:
    return value


def _alternatives(expression: str) -> list[str]:
    """Divide at `||`, unless it may stand in a text, in brackets or behind a pipe."""
    parts = [part.strip() for part in expression.split("||")]
    whole = any(mark in expression for mark in "'\"`") or not all(map(_is_whole, parts))
    return [expression] if whole else parts


def _is_whole(part: str) -> bool:
    pairs = (("(", ")"), ("[", "]"), ("{", "}"))
    return "|" not in part and all(part.count(a) == part.count(b) for a, b in pairs)


def _search(part: str) -> Search:
    if not _PLAIN.fullmatch(part):
        found: Search = jmespath.compile(part).search
        return found
    steps = _steps(part)
    names = [step for step in steps if isinstance(step, str)]
    if len(steps) > len(names):
        return partial(_walk, steps)
    return partial(_inner, names) if names[1:] else partial(_member, names[0])


def _member(name: str, node: JSON) -> JSON:
    return node.get(name) if isinstance(node, dict) else None


def _inner(names: Sequence[str], node: JSON) -> JSON:
    for name in names:
        if not isinstance(node, dict):
            return None
        node = node.get(name)
    return node


def _steps(part: str) -> Steps:
    return [name or int(place) for name, place in _STEP.findall(part)]


def _walk(steps: Steps, node: JSON) -> JSON:
    for step in steps:
        if isinstance(step, str):
            if not isinstance(node, dict):
                return None
            node = node.get(step)
        else:
            if not isinstance(node, list) or not -len(node) <= step < len(node):
                return None
            node = node[step]
    return node


def _first(searches: Sequence[Search], document: JSON) -> JSON:
    """Take the first that is neither empty nor false, or what the last one finds."""
    found: JSON = None
    for search in searches:
        found = search(document)
        if found not in _EMPTY or (found == 0 and found is not False):
            return found
    return found
