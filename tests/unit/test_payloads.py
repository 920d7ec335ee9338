"""What a page shows of bytes that anybody may have sent: all of it, as text, nothing changed."""

import json

from hypothesis import given
from hypothesis import strategies as st

from service.web.console.payloads import MOST_SHOWN, show, visible

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def test_json_is_indented_and_keeps_every_digit_and_every_key() -> None:
    shown = show(b'{"a":1.50,"a":[1,2],"e":{},"s":"x\\"{,:"}')
    assert "json" == shown.kind
    assert (
        '{\n  "a": 1.50,\n  "a": [\n    1,\n    2\n  ],\n  "e": {},\n  "s": "x\\"{,:"\n}'
        == shown.text
    )


@given(JSON)
def test_indented_json_means_the_same(value: object) -> None:
    body = json.dumps(value).encode()
    assert value == json.loads(show(body).text)


@given(st.binary(max_size=200))
def test_any_bytes_are_shown_as_text_without_unseen_signs(body: bytes) -> None:
    assert visible(show(body).text) == show(body).text


def test_what_turns_text_around_is_written_out() -> None:
    assert "\\u202eevil\\u0000\\u001b[31m" == show("\u202eevil\0\x1b[31m".encode()).text
    assert ("bytes", "\\xff<svg>") == (show(b"\xff<svg>").kind, show(b"\xff<svg>").text)


def test_a_long_body_is_cut() -> None:
    shown = show("ä".encode() * MOST_SHOWN)
    assert (True, "text") == (shown.cut, shown.kind)
    assert len(shown.text) <= MOST_SHOWN


def test_deep_nesting_is_shown_and_costs_little() -> None:
    shown = show(b"[" * 900 + b"]" * 900)
    assert len(shown.text) < 200_000
    assert "text" == show(b"[" * 50_000).kind
