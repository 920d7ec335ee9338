"""Places in a document: JMESPath expressions in, what stands there out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self, TypeAlias, Union

import jmespath

JSON: TypeAlias = Union[bool, int, float, str, "list[JSON]", "dict[str, JSON]", None]

_BAD_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_PLAIN = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[-?\d{1,6}\])*", re.ASCII)
_STEP = re.compile(r"([A-Za-z_]\w*)|\[(-?\d+)\]", re.ASCII)
_EMPTY: tuple[JSON, ...] = (None, False, "", [], {})

Steps = Sequence[str | int]


@dataclass(frozen=True, slots=True)
class Path:
    """A compiled JMESPath."""

    expression: str
    search: Callable[[JSON], JSON]

    @classmethod
    def of(cls, expression: str) -> Self:
        return cls(expression, _plain(expression) or jmespath.compile(expression).search)

    def find(self, document: JSON) -> JSON:
        """Look the value up; a function that does not suit the data finds nothing."""
        try:
            return self.search(document)
        except _BAD_DATA:
            return None


def _plain(expression: str) -> Callable[[JSON], JSON] | None:
    """Walk `a.b[0] || c` without the interpreter, ten times as fast; None for all else."""
    parts = [part.strip() for part in expression.split("||")]
    if not all(_PLAIN.fullmatch(part) for part in parts):
        return None
    routes = [_steps(part) for part in parts]
    if len(routes) == 1:
        return lambda document: _walk(routes[0], document)
    return lambda document: _first(routes, document)


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


def _first(routes: Sequence[Steps], document: JSON) -> JSON:
    """Take the first that is neither empty nor false, or what the last one finds."""
    found: JSON = None
    for steps in routes:
        found = _walk(steps, document)
        if found not in _EMPTY or (found == 0 and found is not False):
            return found
    return found
