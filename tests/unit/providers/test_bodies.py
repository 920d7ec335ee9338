"""Forms, XML and CloudEvents: what they become, and what of them is refused."""

import base64
import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.intake.provider import RawRequest
from service.intake.reading import bodies, cloudevents, markup
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.sandbox.senders import bodies as writing

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def request(body: bytes, *headers: tuple[str, str]) -> RawRequest:
    return RawRequest("POST", "/webhooks/wms", "", headers, body, NOW)


def complaint(form: bodies.Format, body: bytes, *headers: tuple[str, str]) -> str:
    with pytest.raises(Unreadable) as caught:
        bodies.read(form, request(body, *headers))
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", {}),
        (b"a=1&b=", {"a": "1", "b": ""}),
        (b"a=1\r\n", {"a": "1"}),
        (b"a=x+y%26%C3%A9", {"a": "x y&é"}),
        (b"a=1&a=2&a=3", {"a": ["1", "2", "3"]}),
        (b"a[b][c]=1&a[b][d]=2", {"a": {"b": {"c": "1", "d": "2"}}}),
        (b"a[0]=x&a[1]=y", {"a": ["x", "y"]}),
        (b"a[1]=y&a[0]=x", {"a": ["x", "y"]}),
        (b"a[]=x&a[]=y", {"a": ["x", "y"]}),
        (b"a[][b]=x&a[][b]=y", {"a": [{"b": "x"}, {"b": "y"}]}),
        (b"a[1]=x&a[2]=y", {"a": {"1": "x", "2": "y"}}),
        (b"a[b]=x&a[b]=y", {"a": {"b": ["x", "y"]}}),
        (b"[a]=x&a]=y&b[=z&c[d]e=w", {"[a]": "x", "a]": "y", "b[": "z", "c[d]e": "w"}),
        (b"0=x&1=y", {"0": "x", "1": "y"}),
    ],
)
def test_a_form_becomes_texts_lists_and_tables(body: bytes, expected: Any) -> None:
    assert expected == bodies.read("form", request(body))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"junk", "NAME=VALUE"),
        (b"a=1&&b=2", "NAME=VALUE"),
        (b"a=%ff", "not UTF-8"),
        ("a=é".encode(), "percent-encoding"),
        (b"a=1&a[b]=2", "both a text and a table"),
        (b"a[b]=2&a=1", "both a text and a table"),
        (b"a=1&a=2&a[b]=3", "both a text and a table"),
        (b"a=1\nb=2", "NAME=VALUE"),
        (b"a" + b"[b]" * 64 + b"=1", "deeper than 64"),
        (b"&".join([b"a=1"] * 1001), "more than 1000"),
        (b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\n1\r\n--x--", "not a form"),
    ],
)
def test_a_form_that_cannot_be_trusted_is_unreadable(body: bytes, expected: str) -> None:
    assert expected in complaint("form", body)


@given(st.dictionaries(st.text(st.characters(exclude_characters="[]"), min_size=1), st.text()))
def test_a_flat_form_is_read_back_as_it_was_written(fields: dict[str, str]) -> None:
    encodable = {
        name: value
        for name, value in fields.items()
        if not any("\ud800" <= letter <= "\udfff" for letter in name + value)
    }
    assert encodable == bodies.read("form", request(urlencode(encodable).encode()))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"<a/>", {"a": ""}),
        (b"<a> x </a>", {"a": "x"}),
        (b"<a>x<!-- y -->z<?p q?></a>", {"a": "xz"}),
        (b"<a><![CDATA[<b>&]]></a>", {"a": "<b>&"}),
        (b"<a>&lt;&#233;&#x20AC;</a>", {"a": "<é€"}),
        (b'<a b="1"/>', {"a": {"@b": "1"}}),
        (b'<a b="1">x</a>', {"a": {"@b": "1", "#text": "x"}}),
        (b"<a>x<b>1</b>y</a>", {"a": {"b": "1", "#text": "xy"}}),
        (b"<a><b>1</b><b>2</b><b>3</b></a>", {"a": {"b": ["1", "2", "3"]}}),
        (b"<a><b>1</b><c/><b><d>2</d></b></a>", {"a": {"b": ["1", {"d": "2"}], "c": ""}}),
        (b'<n:a xmlns:n="urn:x" n:b="1"><n:c>2</n:c></n:a>', {"a": {"@b": "1", "c": "2"}}),
        ("<a>é</a>".encode("utf-16"), {"a": "é"}),
        ('<?xml version="1.0" encoding="windows-1251"?><a>Ж</a>'.encode("cp1251"), {"a": "Ж"}),
        (b"\xef\xbb\xbf<a/>", {"a": ""}),
    ],
)
def test_xml_becomes_texts_lists_and_tables(body: bytes, expected: Any) -> None:
    assert expected == bodies.read("xml", request(body))


BOMB = (
    b'<!DOCTYPE l [<!ENTITY a "ha">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(9))
    + b"]><l>&j;</l>"
)
ATTACKS = {
    "47 doctype": (b"<!DOCTYPE a><a/>", "DOCTYPE"),
    "47 billion laughs": (BOMB, "DOCTYPE"),
    "47 quadratic blow-up": (
        b'<!DOCTYPE a [<!ENTITY x "%s">]><a>%s</a>' % (b"y" * 50_000, b"&x;" * 50_000),
        "DOCTYPE",
    ),
    "47 external entity": (
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "DOCTYPE",
    ),
    "47 external subset": (b'<!DOCTYPE a SYSTEM "http://127.0.0.1:1/x.dtd"><a/>', "DOCTYPE"),
    "47 parameter entity": (b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file:///x">%x;]><a/>', "DOCTYPE"),
    "47 unknown entity": (b"<a>&x;</a>", "not XML"),
    "47 utf-7": (b'<?xml version="1.0" encoding="utf-7"?>+ADw-a/+AD4-', "XML"),
    "47 unknown encoding": (b'<?xml version="1.0" encoding="x-none"?><a/>', "XML"),
    "47 encoding of many bytes": (b'<?xml version="1.0" encoding="shift_jis"?><a/>', "XML"),
    "47 encoding that is none": (b'<?xml version="1.0" encoding="rot13"?><a/>', "XML"),
    "47 encoding that lies": (b'<?xml version="1.0" encoding="utf-16"?><a/>', "not XML"),
    "47 attributes": (
        b"<a %s/>" % b" ".join(b'a%d="1"' % n for n in range(markup.MAX_PIECES)),
        "more than",
    ),
    "47 same attribute twice": (b'<a b="1" b="2"/>', "not XML"),
    "42 depth": (b"<a>" * 65, "deeper than 64"),
    "42 great depth": (b"<a>" * 100_000, "deeper than 64"),
    "42 elements": (b"<a>" + b"<b/>" * markup.MAX_PIECES + b"</a>", "more than"),
    "42 stretches of text": (b"<a>" + b"x<!---->" * markup.MAX_PIECES + b"</a>", "more than"),
    "43 bytes that are not utf-8": (b"<a>\xff</a>", "not XML"),
    "43 surrogate": (b"<a>&#xD800;</a>", "not XML"),
    "43 nul": (b"<a>\0</a>", "not XML"),
    "43 nul by number": (b"<a>&#0;</a>", "not XML"),
    "44 trailing data": (b"<a/><b/>", "not XML"),
    "44 cut": (b"<a><b>", "not XML"),
    "44 empty": (b"", "not XML"),
    "44 blank": (b" \n ", "not XML"),
    "49 json": (b'{"a":1}', "not XML"),
}


@pytest.mark.parametrize("name", ATTACKS)
def test_hostile_xml_is_unreadable_at_once(name: str) -> None:
    body, expected = ATTACKS[name]
    began = time.process_time()
    assert expected in complaint("xml", body)
    assert time.process_time() - began < 2


def test_an_xinclude_is_an_element_like_any_other() -> None:
    body = (
        b'<a xmlns:xi="http://www.w3.org/2001/XInclude">'
        b'<xi:include href="file:///etc/passwd" parse="text"/></a>'
    )
    expected = {"a": {"include": {"@href": "file:///etc/passwd", "@parse": "text"}}}
    assert expected == bodies.read("xml", request(body))


def test_64_levels_of_xml_are_read() -> None:
    assert bodies.read("xml", request(b"<a>" * 64 + b"</a>" * 64))


TEXT = st.text(st.characters(min_codepoint=33, max_codepoint=0xD7FF, exclude_categories=["C", "Z"]))
NAME = st.from_regex(r"[a-z]{1,5}", fullmatch=True)
NODE: st.SearchStrategy[JSON] = st.recursive(
    TEXT.filter(lambda text: text.strip() == text),
    lambda inner: st.dictionaries(NAME, inner, min_size=1, max_size=3),
    max_leaves=8,
)


@given(root=NAME, node=NODE)
def test_what_the_simulated_sender_writes_in_xml_is_read_back(root: str, node: JSON) -> None:
    assert {root: node} == bodies.read("xml", request(writing.write("xml", {root: node})))


@given(root=NAME, node=NODE)
def test_what_the_simulated_sender_writes_in_a_form_is_read_back(root: str, node: JSON) -> None:
    assert {root: node} == bodies.read("form", request(writing.write("form", {root: node})))


@given(body=st.binary(max_size=80))
@settings(max_examples=300)
def test_no_bytes_raise_anything_but_unreadable(body: bytes) -> None:
    for form in ("json", "form", "xml", "cloudevents"):
        for headers in ((), (("ce-specversion", "1.0"), ("content-type", "text/plain"))):
            with suppress(Unreadable):
                bodies.read(bodies.form(form), request(body, *headers))


def test_a_format_that_cannot_be_read_is_refused_when_the_source_is_built() -> None:
    with pytest.raises(ConfigurationError, match="csv"):
        bodies.form("csv")


EVENT: dict[str, JSON] = {"specversion": "1.0", "id": "1", "source": "/a", "type": "t"}
HEADERS = (("ce-specversion", "1.0"), ("ce-id", "1"), ("ce-source", "/a"), ("ce-type", "t"))


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("application/json", b'{"x":1}', {"datacontenttype": "application/json", "data": {"x": 1}}),
        (
            "Application/X+JSON; a=b",
            b"7",
            {"datacontenttype": "application/x+json; a=b", "data": 7},
        ),
        ("", b"[1]", {"data": [1]}),
        ("text/plain", "é".encode(), {"datacontenttype": "text/plain", "data": "é"}),
        ("application/json", b"", {"datacontenttype": "application/json"}),
    ],
)
def test_binary_mode_reads_like_structured_mode(kind: str, body: bytes, expected: Any) -> None:
    headers = (*HEADERS, ("content-type", kind)) if kind else HEADERS
    found = bodies.read("cloudevents", request(body, *headers))
    assert {**EVENT, **expected} == found == cloudevents.envelope(found)


@pytest.mark.parametrize(
    ("kind", "body"), [("application/json", b"{"), ("text/plain", b"\xff"), ("", b"\xff")]
)
def test_binary_data_that_is_not_what_it_says_is_unreadable(kind: str, body: bytes) -> None:
    complaint("cloudevents", body, *HEADERS, ("content-type", kind))


def test_a_structured_body_wins_over_headers_of_the_other_mode() -> None:
    kind = ("content-type", "application/cloudevents+json")
    body = json.dumps({**EVENT, "id": "2"}).encode()
    assert {**EVENT, "id": "2"} == bodies.read("cloudevents", request(body, *HEADERS, kind))


@pytest.mark.parametrize(
    "item",
    [
        None,
        [],
        {},
        {**EVENT, "specversion": 1.0},
        {**EVENT, "specversion": "0.3"},
        {**EVENT, "id": ""},
        {**EVENT, "id": 7},
        {**EVENT, "source": None},
        {**EVENT, "type": []},
        {**EVENT, "data_base64": 7},
        {**EVENT, "data_base64": "***"},
        {**EVENT, "data_base64": "é"},
        {**EVENT, "data_base64": "ew=="},
        {**EVENT, "data_base64": "/w==", "datacontenttype": "text/plain"},
    ],
)
def test_what_is_no_cloudevent_is_unreadable(item: JSON) -> None:
    with pytest.raises(Unreadable):
        cloudevents.envelope(item)


@pytest.mark.parametrize(
    ("kind", "content", "expected"),
    [(None, b'{"x":1}', {"x": 1}), (7, b"[]", []), ("text/csv", b"a,b", "a,b")],
)
def test_data_in_base64_is_opened(kind: JSON, content: bytes, expected: JSON) -> None:
    item = {**EVENT, "datacontenttype": kind, "data_base64": base64.b64encode(content).decode()}
    assert expected == cloudevents.envelope(item)["data"]


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("/a", "1", "/a 1"),
        ("/a b", "c", "/a%20b c"),
        ("/a", "b c", "/a b c"),
    ],
)
def test_an_event_is_named_by_source_and_id(source: str, name: str, expected: str) -> None:
    assert expected == cloudevents.identity({"source": source, "id": name})


@pytest.mark.parametrize(
    ("source", "name"), [("/" + "a" * 300, "1"), ("/a", "\0"), ("/a", "\ud800")]
)
def test_a_name_that_cannot_be_stored_is_hashed(source: str, name: str) -> None:
    assert 64 == len(cloudevents.identity({"source": source, "id": name}))
