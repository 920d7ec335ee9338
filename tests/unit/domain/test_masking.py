"""What tells of people is hidden where it is shown, in whatever form it came."""

import json
from typing import Any

import pytest

from service.domain.masking import HIDDEN, USUALLY, Mask, everybody, mask_of


def shown(said: Any, *fields: str) -> Any:
    return json.loads(Mask.of(fields).body(json.dumps(said).encode()))


def test_a_name_alone_is_hidden_wherever_it_stands() -> None:
    said = {"email": "a@b", "customer": {"Email": "a@b", "id": 1}, "all": [{"e-mail": "a@b"}]}
    assert {
        "email": HIDDEN,
        "customer": {"Email": HIDDEN, "id": 1},
        "all": [{"e-mail": HIDDEN}],
    } == shown(said, "email")


def test_a_path_is_hidden_only_there_and_through_lists() -> None:
    said = {"to": [{"name": "Ada", "n": 1}], "item": {"name": "shoe"}}
    assert {"to": [{"name": HIDDEN, "n": 1}], "item": {"name": "shoe"}} == shown(said, "to.name")
    assert {"to": [{"name": HIDDEN, "n": 1}], "item": {"name": HIDDEN}} == shown(said, "*.name")


def test_whole_branches_are_hidden_and_empty_ones_stay() -> None:
    said = {"address": {"street": "x"}, "phone": None, "mobile": ""}
    assert {"address": HIDDEN, "phone": None, "mobile": ""} == shown(
        said, "address", "phone", "mobile"
    )


def test_what_is_not_hidden_keeps_its_digits() -> None:
    body = b'{"amount": 10.10, "big": 12345678901234567890.10, "email": "a@b"}'
    expected = b'{"amount": 10.10, "big": 12345678901234567890.10, "email": "(masked)"}'
    assert expected == Mask.of(["email"]).body(body)


def test_a_body_with_nothing_to_hide_is_shown_byte_by_byte() -> None:
    for body in (b'{"a":  1}', b"a=1&b=2", b"<a>1</a>", b"<a>\xff</a>", b""):
        assert body == USUALLY.body(body)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"email=a%40b&id=1", b"email=%28masked%29&id=1"),
        (b"customer[email]=a%40b&id=1", b"customer%5Bemail%5D=%28masked%29&id=1"),
        (b"<o><email>a@b</email><id>1</id></o>", b"<o><email>(masked)</email><id>1</id></o>"),
        (b"<x:Email k='v'>a@b</x:Email>", b"<x:Email k='v'>(masked)</x:Email>"),
        (b"<o email='a@b' id='1'/>", b"<o email='(masked)' id='1'/>"),
        (b"<email><![CDATA[a@b]]></email>", b"<email>(masked)</email>"),
        (b"1001;Ada;a@b", b"(masked)"),
    ],
)
def test_forms_and_xml_are_masked_and_of_what_has_no_fields_nothing_is_shown(
    body: bytes, expected: bytes
) -> None:
    assert expected == Mask.of(["customer.email", "email"]).body(body)


def test_attributes_are_hidden_by_name_or_as_attributes() -> None:
    said: dict[str, str | bool] = {"email": "a@b", "vip": True}
    assert {"email": HIDDEN, "vip": True} == Mask.of(["email"]).attributes(said)
    assert {"email": "a@b", "vip": HIDDEN} == Mask.of(["attributes.vip"]).attributes(said)


def test_no_fields_hide_nothing_and_an_unknown_source_has_the_usual_mask() -> None:
    assert b"1001;Ada" == Mask.of([]).body(b"1001;Ada")
    assert USUALLY == mask_of({"shop": []}, "gone")
    assert {"email": HIDDEN} == everybody({"a": [], "b": ["email"]}).attributes({"email": "a@b"})


def test_a_hidden_attribute_is_hidden_in_the_field_of_the_crm_it_is_written_to() -> None:
    mask = USUALLY.carried([{"email": "UF_CRM_1", "vip": "UF_CRM_2"}, {"buyer_phone": "PHONE"}])
    assert [HIDDEN, "yes", HIDDEN, HIDDEN, None, "paid"] == [
        mask.field("UF_CRM_1", "ada@example.com"),
        mask.field("UF_CRM_2", "yes"),
        mask.field("PHONE", "+44"),
        mask.field("Mobile", "+44"),
        mask.field("UF_CRM_1", None),
        mask.field("STAGE_ID", "paid"),
    ]


def test_nothing_is_hidden_where_a_source_says_so() -> None:
    assert "+44" == Mask.of([]).carried([{"phone": "PHONE"}]).field("PHONE", "+44")
