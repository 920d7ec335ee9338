"""Parameters in PHP's brackets: what we write is what they read."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.sandbox.dialects.brackets import nested
from service.worker.crms.brackets import query

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
names = st.text("abcXYZ_=>@", min_size=1, max_size=8)
trees = st.recursive(
    texts,
    lambda below: st.one_of(
        st.lists(below, min_size=1, max_size=3),
        st.dictionaries(names, below, min_size=1, max_size=3),
    ),
    max_leaves=8,
)


@given(st.dictionaries(names, trees, max_size=3))
def test_what_is_written_is_read_again(params: dict[str, Any]) -> None:
    assert params == nested(query(params))


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"id": 7, "empty": None}, "id=7&empty="),
        ({"filter": {"=originId": "A&B=C"}}, "filter%5B%3DoriginId%5D=A%26B%3DC"),
        ({"select": ["id", "title"]}, "select%5B0%5D=id&select%5B1%5D=title"),
        ({"a": "x+y z/ä"}, "a=x%2By%20z%2F%C3%A4"),
    ],
)
def test_names_and_values_are_percent_encoded(params: Any, expected: str) -> None:
    assert expected == query(params)


def test_a_list_without_numbers_is_a_list() -> None:
    assert {"ids": ["1", "2"], "x": {"y": ["3"]}} == nested("ids[]=1&ids[]=2&x[y][]=3")
