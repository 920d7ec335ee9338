"""The configuration of a source or a destination comes in; rows of names and texts go out."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from service.ops.lookups import Body

DEEPEST = 3
"""Tables in tables that get names of their own; what lies deeper is shown as JSON."""
EMPTY = "—"
Row = tuple[str, str]


def shown(body: Body, *, besides: Sequence[str] = ()) -> Mapping[str, Sequence[Row]]:
    """What somebody wrote, and what is usual; `besides` are shown elsewhere."""
    settings, given = body["configuration"], set(body["given"])
    rows: dict[str, list[Row]] = {"given": [], "usual": []}
    for name, value in settings.items():
        if name not in besides:
            for row in _rows(name, value):
                rows["given" if name in given and row[1] != EMPTY else "usual"].append(row)
    return rows


def table(value: object) -> Sequence[Row]:
    """A table of words and what they become, such as `statuses`."""
    return [(name, _text(each)) for name, each in value.items()] if isinstance(value, dict) else []


def _rows(name: str, value: Any, depth: int = 1) -> list[Row]:  # noqa: ANN401  # JSON
    if isinstance(value, dict) and value and depth <= DEEPEST:
        return [
            row for key, each in value.items() for row in _rows(f"{name}.{key}", each, depth + 1)
        ]
    return [(name, _text(value))]


def _text(value: Any) -> str:  # noqa: ANN401  # JSON
    match value:
        case None | "" | [] | {}:
            return EMPTY
        case str():
            return value
        case [*each] if all(isinstance(one, str) for one in each):
            return ", ".join(each)
        case _:
            return orjson.dumps(value).decode()
