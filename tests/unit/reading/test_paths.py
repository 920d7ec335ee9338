"""The fast walk finds what the interpreter of JMESPath finds."""

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.reading.paths import JSON, Path

NAMES = st.sampled_from(["a", "b", "c1", "_d"])
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 3), st.floats(0, 1), st.sampled_from(["", "x", "0"])
)
DOCUMENTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
STEPS = st.one_of(NAMES.map(lambda name: f".{name}"), st.integers(-4, 4).map(lambda n: f"[{n}]"))
PLAIN = st.builds(lambda first, rest: first + "".join(rest), NAMES, st.lists(STEPS, max_size=3))
EXPRESSIONS = st.lists(PLAIN, min_size=1, max_size=3).map(" || ".join)


@given(expression=EXPRESSIONS, document=DOCUMENTS)
def test_the_fast_walk_finds_what_the_interpreter_finds(expression: str, document: JSON) -> None:
    assert Path.of(expression).find(document) == jmespath.search(expression, document)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("items[?kind == 'a'].id | [0]", 1),
        ("length(items)", 2),
        ('"odd name".inner', "found"),
        ("items[0].missing || items[1].id", 2),
        ("sum(items)", None),
    ],
)
def test_all_other_expressions_are_left_to_the_interpreter(
    expression: str, expected: object
) -> None:
    document: JSON = {
        "items": [{"kind": "a", "id": 1}, {"kind": "b", "id": 2}],
        "odd name": {"inner": "found"},
    }
    assert Path.of(expression).find(document) == expected


MIXED = [
    *("a.b || c", "max(a[].b) || c || d", "sort(a[].b)||c", "a[].b | [0] || c", "(a || c) && d"),
    *(
        "a[?b=='x' || b=='y'].b",
        "a[?(b || c)] || c",
        "{x: a || c}",
        "!a || c",
        "`null`",
        "a || `1`",
    ),
    *("a[]", "a[].b | [0]", "a[?b=='x'].b | [-1]", "[a, c][]", "a[*].b", "*.b", "a[::-1]", "@"),
    *("c == `0`", "d != `false`", "d == `0`", "c > `-1` && c", "c < 'z'", "a > `1`", "!c", "!d"),
    *("join('-', ['x', c])", "join('-', a[].b)", "join(c, c)", "join(c)", "to_string(c)"),
    *("to_string(a)", "contains(a[].b, 'x')", "contains(c, 'v')", "contains(`1`, c)"),
    *("starts_with(c, 'v')", "starts_with(d, 'v')", "max(a[].b)", "max(c)", "max(`[]`)"),
    *("max(`[1, 2]`)", "to_number(c) > `0`", "type(@) == 'array' && @ || [@]", "map(&b, a)"),
    *("a[].{x: b}", "a[?b].b.c", "a.b[1].c || 'none'", '"c"', '"a"."b"', "[0] == [1]", "e || c"),
]
SHAPES: list[JSON] = [
    None,
    {},
    [1, 2],
    {"a": {"b": [1, {"c": ""}]}, "c": 0, "d": False, "e": []},
    {"a": [{"b": "x"}, {"b": "y"}], "c": "v"},
    {"a": {"b": "q", "c": {"d": 1}}},
]


@pytest.mark.parametrize("expression", MIXED)
@pytest.mark.parametrize("document", SHAPES, ids=str)
def test_a_path_of_alternatives_finds_what_the_interpreter_finds(
    expression: str, document: JSON
) -> None:
    try:
        expected = jmespath.compile(expression).search(document)
    except (jmespath.exceptions.JMESPathError, TypeError):
        expected = None
    assert expected == Path.of(expression).find(document)
