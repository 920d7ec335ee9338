"""One request from templates: each value is encoded for its place, and none can leave it."""

from decimal import Decimal
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from service.worker.crms.rest import filling
from service.worker.crms.rest.filling import Unfillable

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(TEXTS)
def test_a_value_stays_one_segment_of_a_path(value: str) -> None:
    if value in {".", ".."}:
        with pytest.raises(Unfillable):
            filling.path("/orders/{id}/x", {"id": value})
        return
    path = filling.path("/orders/{id}/x", {"id": value})
    assert ["", "orders", value, "x"] == [unquote(each) for each in path.split("/")]


@pytest.mark.parametrize("value", [None, ""])
def test_a_path_without_a_value_is_refused(value: str | None) -> None:
    with pytest.raises(Unfillable, match=r"no value for \{id\}"):
        filling.path("/orders/{id}", {"id": value})


@given(TEXTS, TEXTS)
def test_a_value_stays_one_parameter(one: str, other: str) -> None:
    query = filling.query(
        {"a b": "{one}", "n": ["{other}", "x-{one}"]}, {"one": one, "other": other}
    )
    expected = [("a b", one), ("n", other), ("n", f"x-{one}")]
    assert expected == parse_qsl(query, keep_blank_values=True)
    assert "" == urlsplit(f"http://h/p?{query}").fragment


def test_parameters_without_a_value_are_left_out() -> None:
    assert "limit=5&flag=true" == filling.query(
        {"page": "{cursor}", "limit": 5, "flag": True, "none": None}, {}
    )


@given(TEXTS)
def test_a_value_stays_in_its_header(value: str) -> None:
    (line,) = filling.headers({"X-Key": "a {key}"}, {"key": value}).values()
    assert line.isascii()
    assert line.isprintable()


def test_headers_without_a_value_are_left_out_and_an_etag_is_as_it_was() -> None:
    assert {"If-Match": 'W/"5%2"'} == filling.headers(
        {"If-Match": "{token}", "X-None": "{none}"}, {"token": 'W/"5%2"'}
    )


def test_a_text_of_one_placeholder_is_the_value_itself() -> None:
    values = {"n": Decimal("12.50"), "flag": False, "name": 'a"b', "fields": {"x": Decimal(1)}}
    content: JsonValue = {
        "n": "{n}",
        "f": "{flag}",
        "t": "№ {name}",
        "all": "{fields}",
        "k": ["{name}", 7],
    }
    filled = filling.structure(content, values)
    assert {
        "n": Decimal("12.50"),
        "f": False,
        "t": '№ a"b',
        "all": {"x": Decimal(1)},
        "k": ['a"b', 7],
    } == filled
    body, headers = filling.body(content, "json", values)
    assert b'"n":12.50' in body
    assert {"Content-Type": "application/json"} == headers


def test_what_has_no_value_goes_with_its_key() -> None:
    content: JsonValue = {
        "a": "{none}",
        "b": "x{none}",
        "c": {"d": "{none}"},
        "e": ["{none}", 1],
        "{none}": 1,
    }
    assert {"c": {}, "e": [1]} == filling.structure(content, {})


def test_keys_are_templates_and_braces_are_doubled() -> None:
    content: JsonValue = {"{status_field}": "{status}", "q": "{{ id }}"}
    values = {"status_field": "stage", "status": "paid"}
    assert {"stage": "paid", "q": "{ id }"} == filling.structure(content, values)


def test_a_form_is_flat_and_may_carry_json() -> None:
    values = {"record": {"stage": "a&b", "total": Decimal("1.10")}, "id": "7", "tags": ["x", "y"]}
    content: JsonValue = {"id": "{id}", "order": "{record}", "t": "{tags}", "none": "{none}"}
    body, headers = filling.body(content, "form-json", values)
    assert [("id", "7"), ("order", '{"stage":"a&b","total":1.10}'), ("t", '["x","y"]')] == (
        parse_qsl(body.decode())
    )
    assert {"Content-Type": "application/x-www-form-urlencoded"} == headers
    body, _ = filling.body(content, "form", values)
    assert [("t", "x"), ("t", "y")] == parse_qsl(body.decode())[2:]


def test_no_body_has_no_kind() -> None:
    assert (b"", {}) == filling.body(None, "json", {})
    assert (b"", {}) == filling.body("{record}", "json", {})


def test_a_part_is_a_structure_with_a_name() -> None:
    values = filling.with_parts({"filter": [["{name}", "=", "{key}"]]}, {"name": "no", "key": '"'})
    assert '[["no","=","\\""]]' == filling.text("{filter}", values)
    assert filling.text("{filter|base64url}", values)
    assert "d=%5B%5B%22no%22" == filling.query({"d": "{filter}"}, values)[:16]


def test_a_field_is_named_behind_a_dot() -> None:
    values = {"field": {"UF 1": True}}
    assert "true" == filling.text("{field.UF 1}", values)
    assert None is filling.text("{field.other}", values)
    assert None is filling.text("{field.x}", {"field": None})
