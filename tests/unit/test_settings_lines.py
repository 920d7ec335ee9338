"""The line locator agrees with tomllib on what there is and knows where it stands."""

import json
import tomllib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings.lines import find_lines
from service.settings.problems import Place

TEXT = '''# a comment with [brackets] and "quotes"
top = 1
[server]
public = "a # not a comment"   # a comment
"quoted.key" = \'\'\'
[not.a.table]
\'\'\'
dotted.inner.deep = """x \\""" y = 2
z"""
[sources.wms]
verify = { scheme = "hmac", "odd key" = [1, { a = 1 }] }
list = [
  # first
  "a,]",

  "b", [ "c" ],
]
[[routes]]
sources = ["*"]
[[routes]]
sources = []
[routes.extra]
when = 1979-05-27 07:32:00
[[routes.inner]]
x = 1
[ spaced . out ]
y = +inf
'''


@pytest.mark.parametrize(
    ("place", "line"),
    [
        (("top",), 2),
        (("server",), 3),
        (("server", "public"), 4),
        (("server", "quoted.key"), 5),
        (("server", "dotted"), 8),
        (("server", "dotted", "inner", "deep"), 8),
        (("sources",), 10),
        (("sources", "wms"), 10),
        (("sources", "wms", "verify", "scheme"), 11),
        (("sources", "wms", "verify", "odd key", 1, "a"), 11),
        (("sources", "wms", "list"), 12),
        (("sources", "wms", "list", 0), 14),
        (("sources", "wms", "list", 1), 16),
        (("sources", "wms", "list", 2, 0), 16),
        (("routes",), 18),
        (("routes", 0, "sources", 0), 19),
        (("routes", 1), 20),
        (("routes", 1, "extra", "when"), 23),
        (("routes", 1, "inner", 0, "x"), 25),
        (("spaced", "out", "y"), 27),
    ],
)
def test_every_kind_of_key_has_its_line(place: Place, line: int) -> None:
    assert line == find_lines(TEXT)[place]


def test_lines_end_in_carriage_returns_too() -> None:
    assert find_lines(TEXT.replace("\n", "\r\n"))[("server", "public")] == 4


def test_the_places_are_those_tomllib_finds() -> None:
    assert places(tomllib.loads(TEXT)) == set(find_lines(TEXT))


def places(value: object, at: Place = ()) -> set[Place]:
    match value:
        case dict():
            inner = [((*at, key), each) for key, each in value.items()]
        case list():
            inner = [((*at, number), each) for number, each in enumerate(value)]
        case _:
            inner = []
    return {place for place, _ in inner}.union(*(places(each, place) for place, each in inner))


words = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"), max_size=8)
scalars = st.integers(-9, 9) | st.booleans() | words
arrays = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3), max_leaves=5)
tables = st.dictionaries(words, arrays | st.dictionaries(words, arrays, max_size=3), max_size=4)


@given(st.dictionaries(words, tables, max_size=4), st.sampled_from(["\n", "\n\n# [x]\n", " # }\n"]))
def test_generated_documents_agree_with_tomllib(
    document: dict[str, dict[str, object]], gap: str
) -> None:
    text = gap.join(
        line
        for name, table in document.items()
        for line in (
            f"[{written(name)}]",
            *(f"{written(k)} = {written(v)}" for k, v in table.items()),
        )
    )
    found = find_lines(text)
    assert places(tomllib.loads(text)) == set(found)
    lines = text.split("\n")
    for name, table in document.items():
        assert lines[found[(name,)] - 1].startswith(f"[{written(name)}]")
        for key in table:
            assert lines[found[(name, key)] - 1].startswith(f"{written(key)} = ")


def written(value: object) -> str:
    match value:
        case dict():
            return "{ " + ", ".join(f"{written(k)} = {written(v)}" for k, v in value.items()) + " }"
        case list():
            return "[" + ",".join(written(each) for each in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


@given(st.text(alphabet="[]{}=\"'\\.,#\n ab1", max_size=40))
def test_what_is_not_toml_ends_too(text: str) -> None:
    with suppress(tomllib.TOMLDecodeError):
        find_lines(text)
