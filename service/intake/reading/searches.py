"""JMESPath, compiled: an expression comes in, a function that finds what it names goes out.

The interpreter of jmespath walks its tree anew for every document; here each node becomes a
function once. What is not written here (rare nodes, most functions) is left to the interpreter.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from math import isfinite
from typing import Any, TypeAlias, Union

import jmespath
from jmespath.functions import Functions
from jmespath.visitor import TreeInterpreter

JSON: TypeAlias = Union[bool, int, float, str, "list[JSON]", "dict[str, JSON]", None]
Search = Callable[[JSON], JSON]
Node = Mapping[str, Any]

_BAD_DATA = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
_FUNCTIONS = Functions()
_ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def compiled(expression: str) -> Search:
    """Compile; raises ValueError where it is no JMESPath. The search itself never raises."""
    parsed = jmespath.compile(expression)
    try:
        search = _compile(parsed.parsed)
        return partial(_tried, search) if _may_fail(parsed.parsed) else search
    except RecursionError:
        return partial(_tried, parsed.search)


def _may_fail(node: Node) -> bool:
    """Whether a search may meet data that does not suit it; most only walk and compare."""
    safe = node["type"] == "field" or node["type"] in _MAKERS.keys() - _FAILING
    if not safe or node["value" if node["type"] == "comparator" else "type"] in _ORDER:
        return True
    return any(isinstance(child, dict) and _may_fail(child) for child in node["children"])


def _tried(search: Search, document: JSON) -> JSON:
    """Find nothing where a function does not suit the data."""
    try:
        return search(document)
    except _BAD_DATA:
        return None


def is_empty(value: JSON) -> bool:
    """Whether JMESPath takes a value for false; 0 is none of these."""
    return not value and (value is False or not isinstance(value, int | float))


def _names(node: Node) -> list[str] | None:
    """Take `a.b.c` apart; None where it is more than that."""
    match node["type"]:
        case "field":
            return [node["value"]]
        case "subexpression":
            parts = [_names(child) for child in node["children"]]
            if any(part is None for part in parts):
                return None
            return [name for part in parts for name in part or ()]
        case _:
            return None


def _walking(names: Sequence[str]) -> Search:
    match names:
        case [name]:
            return partial(_member, name)
        case [first, second]:
            return partial(_inner, first, second)
        case _:
            return partial(_walk, tuple(names))


def _member(name: str, node: JSON) -> JSON:
    return node.get(name) if isinstance(node, dict) else None


def _inner(first: str, second: str, node: JSON) -> JSON:
    if not isinstance(node, dict):
        return None
    node = node.get(first)
    return node.get(second) if isinstance(node, dict) else None


def _walk(names: Sequence[str], document: JSON) -> JSON:
    """Walk down; asking each node what it is would take longer than the walk."""
    node: Any = document
    try:
        for name in names:
            if node is None:
                return None
            node = node.get(name)
    except AttributeError:
        return None
    found: JSON = node
    return found


def _compile(node: Node) -> Search:
    names = _names(node)
    if names:
        return _walking(names)
    make = _MAKERS.get(node["type"])
    return make(node) if make else _interpreted(node)


def _interpreted(node: Node) -> Search:
    visit: Callable[[Any, JSON], JSON] = TreeInterpreter().visit
    return partial(visit, node)


def _inside(node: Node) -> list[Search]:
    return [_compile(child) for child in node["children"]]


def _itself(_: Node) -> Search:
    return lambda document: document


def _literal(node: Node) -> Search:
    value: JSON = node["value"]
    return lambda _: value


def _index(node: Node) -> Search:
    place: int = node["value"]

    def search(document: JSON) -> JSON:
        if not isinstance(document, list) or not -len(document) <= place < len(document):
            return None
        return document[place]

    return search


def _one_after_another(node: Node) -> Search:
    steps = _inside(node)

    def search(document: JSON) -> JSON:
        for step in steps:
            document = step(document)
        return document

    return search


def _or(node: Node) -> Search:
    choices = [_compile(each) for each in _chosen(node)]

    def search(document: JSON) -> JSON:
        found: JSON = None
        for choice in choices:
            found = choice(document)
            if found or not is_empty(found):
                break
        return found

    return search


def _chosen(node: Node) -> list[Node]:
    """List what `a || b || c` chooses from."""
    if node["type"] != "or_expression":
        return [node]
    return [each for child in node["children"] for each in _chosen(child)]


def _and(node: Node) -> Search:
    left, right = _inside(node)

    def search(document: JSON) -> JSON:
        found = left(document)
        return right(document) if found or not is_empty(found) else found

    return search


def _not(node: Node) -> Search:
    (inner,) = _inside(node)
    return lambda document: is_empty(inner(document))


def _comparator(node: Node) -> Search:
    left, right = _inside(node)
    match node["value"]:
        case "eq":
            return lambda document: _is_same(left(document), right(document))
        case "ne":
            return lambda document: not _is_same(left(document), right(document))
        case word:
            return partial(_ordered, _ORDER[word], left, right)


def _is_same(one: JSON, other: JSON) -> bool:
    """Compare as JMESPath does, to which 1 is not true."""
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _ordered(
    compare: Callable[[Any, Any], bool], left: Search, right: Search, document: JSON
) -> JSON:
    one, other = left(document), right(document)
    return compare(one, other) if _is_ordered(one) and _is_ordered(other) else None


def _is_ordered(value: JSON) -> bool:
    return isinstance(value, int | float | str) and not isinstance(value, bool)


def _list(node: Node) -> Search:
    parts = _inside(node)

    def search(document: JSON) -> JSON:
        return None if document is None else [part(document) for part in parts]

    return search


def _projection(node: Node) -> Search:
    base, each = _inside(node)

    def search(document: JSON) -> JSON:
        items = base(document)
        if not isinstance(items, list):
            return None
        return [found for item in items if (found := each(item)) is not None]

    return search


def _filter(node: Node) -> Search:
    base, each, wanted = _inside(node)

    def search(document: JSON) -> JSON:
        items = base(document)
        if not isinstance(items, list):
            return None
        kept = (each(item) for item in items if not is_empty(wanted(item)))
        return [found for found in kept if found is not None]

    return search


def _flatten(node: Node) -> Search:
    (base,) = _inside(node)

    def search(document: JSON) -> JSON:
        items = base(document)
        if not isinstance(items, list):
            return None
        return [inner for item in items for inner in (item if isinstance(item, list) else [item])]

    return search


def _function(node: Node) -> Search:
    """Call a function; the usual ones without the checks that take longer than the work."""
    if any(child["type"] == "expref" for child in node["children"]):
        return _interpreted(node)
    name, arguments = node["value"], _inside(node)
    quick = _QUICK.get(name)

    def search(document: JSON) -> JSON:
        given = [argument(document) for argument in arguments]
        found: JSON = quick(*given) if quick else None
        return _FUNCTIONS.call_function(name, given) if found is None else found

    return search


def _text(value: JSON) -> JSON:
    match value:
        case str():
            return value
        case bool():
            return None
        case int():
            return str(value)
        case float() if isfinite(value):
            return repr(value)
        case _:
            return None


def _number(value: JSON) -> JSON:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _joined(glue: JSON, parts: JSON) -> JSON:
    if not isinstance(glue, str) or not isinstance(parts, list):
        return None
    texts = [part for part in parts if isinstance(part, str)]
    return glue.join(texts) if len(texts) == len(parts) else None


def _begins(text: JSON, start: JSON) -> JSON:
    if not isinstance(text, str) or not isinstance(start, str):
        return None
    return text.startswith(start)


def _holds(place: JSON, wanted: JSON) -> JSON:
    return wanted in place if isinstance(place, list) else None


def _greatest(values: JSON) -> JSON:
    """Take the last of texts; the checks of numbers stay with the interpreter."""
    if not isinstance(values, list) or not values:
        return None
    texts = [value for value in values if isinstance(value, str)]
    return max(texts) if len(texts) == len(values) else None


_QUICK: Mapping[str, Callable[..., JSON]] = {
    "to_string": _text,
    "to_number": _number,
    "join": _joined,
    "starts_with": _begins,
    "contains": _holds,
    "max": _greatest,
}
_MAKERS: Mapping[str, Callable[[Node], Search]] = {
    "identity": _itself,
    "current": _itself,
    "literal": _literal,
    "index": _index,
    "index_expression": _one_after_another,
    "subexpression": _one_after_another,
    "pipe": _one_after_another,
    "or_expression": _or,
    "and_expression": _and,
    "not_expression": _not,
    "comparator": _comparator,
    "multi_select_list": _list,
    "projection": _projection,
    "filter_projection": _filter,
    "flatten": _flatten,
    "function_expression": _function,
}
_FAILING = frozenset({"function_expression"})
