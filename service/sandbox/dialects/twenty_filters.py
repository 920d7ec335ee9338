"""The filter language of a simulated Twenty: the text of a query comes in, a test goes out.

As the REST parsers of twentyhq/twenty read it (catalogue of 2026-11): one condition is
`field[comparator]:value`, several stand in `and(…)`, `or(…)` or `not(…)`; there are no escapes, so
that a bracket inside a value counts, quoted or not, and what follows the last one is dropped.
"""

import operator
import re
from collections.abc import Callable, Mapping, Sequence

Row = Mapping[str, object]
Test = Callable[[Row], bool]

COMPARATORS = (
    "eq", "neq", "in", "containsAny", "is", "gt", "gte", "lt", "lte",
    "startsWith", "endsWith", "like", "ilike",
)  # fmt: skip
GROUP = re.compile(r"(and|or|not)\((.+)\)", re.DOTALL)
CONDITION = re.compile(r"(.+)\[(.+)\]:(.+)", re.DOTALL)


class BadFilterError(Exception):
    """A sentence of the vendor."""


def parsed(text: str, known: Sequence[str]) -> Test:
    return _parsed(text if GROUP.fullmatch(text) else f"and({text})", known)


def _parsed(text: str, known: Sequence[str]) -> Test:
    if group := GROUP.fullmatch(text):
        tests = [_parsed(part, known) for part in _parts(text)]
        match group[1]:
            case "and":
                return lambda row: all(test(row) for test in tests)
            case "or":
                return lambda row: any(test(row) for test in tests)
            case _:
                return lambda row: not tests[0](row)
    return _condition(text, known)


def _parts(text: str) -> Sequence[str]:
    """What stands between the outer parentheses, cut at the commas that count."""
    parts, depth, bracket, double, single = [""], 0, False, False, False
    for sign in text:
        keep = depth >= 1
        depth += sign == "("
        if sign == ")":
            depth -= 1
            keep = depth >= 1
        bracket ^= sign in "[]"
        double ^= sign == '"'
        single ^= sign == "'"
        if sign == "," and depth == 1 and not (bracket or double or single):
            parts.append("")
            keep = False
        if keep:
            parts[-1] += sign
    return parts


def _condition(text: str, known: Sequence[str]) -> Test:
    if not CONDITION.fullmatch(text):
        raise BadFilterError(f"'filter' invalid for '{text}'. eg: price[gte]:10")
    name, _, rest = text.partition("[")
    comparator, _, value = rest.partition("]")
    value = value.partition(":")[2]
    if comparator not in COMPARATORS:
        raise BadFilterError(f"'filter' invalid for '{text}', comparator {comparator} not in …")
    if name not in known:
        raise BadFilterError(f"Object opportunity doesn't have any {name!r} field.")
    return _test(name, comparator, value)


ORDERED: Mapping[str, Callable[[str, str], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def _test(name: str, comparator: str, value: str) -> Test:
    if comparator == "in":
        if not (value.startswith("[") and value.endswith("]")):
            raise BadFilterError(f"'filter' invalid for 'in' operator. Received '{value}'")
        wanted = {_bare(each) for each in value[1:-1].split(",")}
        return lambda row: _text(row, name) in wanted
    plain = _bare(value)
    if comparator in ORDERED:
        return lambda row: ORDERED[comparator](_text(row, name), plain)
    if comparator in {"like", "ilike"}:
        pattern = _pattern(plain, fold=comparator == "ilike")
        return lambda row: pattern.fullmatch(_text(row, name)) is not None
    raise BadFilterError(f"the sandbox has no comparator {comparator}")


def _bare(value: str) -> str:
    if len(value) > 1 and value[0] in "\"'" and value[-1] in "\"'":
        return value[1:-1]
    return value


def _text(row: Row, name: str) -> str:
    value = row.get(name)
    return "" if value is None else str(value)


def _pattern(like: str, *, fold: bool) -> re.Pattern[str]:
    signs = {"%": ".*", "_": "."}
    text = "".join(signs.get(sign) or re.escape(sign) for sign in like)
    return re.compile(text, re.DOTALL | (re.IGNORECASE if fold else 0))
