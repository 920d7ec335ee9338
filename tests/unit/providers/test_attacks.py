"""Bodies of the attack list on a generic source: quarantined or read for what they are, at once."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.events import Fate, Statement
from service.domain.keys import body_key
from service.intake.provider import RawRequest
from service.intake.providers.anyone import generic
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
MIB = 1024 * 1024


def source(**rules: Any) -> Source:
    return Source.model_validate(
        {
            "name": "wms",
            "provider": "generic",
            "secrets": (Secret.plain("secret"),),
            "verify": {"scheme": "bearer"},
            "key": "id",
            "subject": {"ref": "order"},
            "status": "state",
            "statuses": {"PICKING": "fulfillment.picking"},
            "attributes": {"amount": "total"},
            **rules,
        }
    )


def parse(body: bytes, *headers: tuple[str, str], **rules: Any) -> tuple[Statement, ...]:
    request = RawRequest("POST", "/webhooks/wms", "", headers, body, NOW)
    began = time.process_time()
    found = tuple(generic.build(source(**rules)).parse(request))
    assert time.process_time() - began < 5
    return found


def event(**parts: Any) -> bytes:
    usual = {"id": "w-1", "order": "1001", "state": "PICKING", "total": "1.00"}
    return json.dumps({**usual, **parts}).encode()


UNREADABLE = {
    "40 NaN": b'{"id":NaN}',
    "40 Infinity": b'{"id":-Infinity}',
    "41 number beyond every float": b'{"id":1e400}',
    "42 depth 1,000": b"[" * 1_000 + b"]" * 1_000,
    "42 depth 1,025": b"[" * 1_025 + b"]" * 1_025,
    "42 depth 100,000": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "43 lone surrogate": b'{"id":"\\ud800"}',
    "43 overlong UTF-8": b'{"id":"\xc0\xaf"}',
    "43 byte order mark": b'\xef\xbb\xbf{"id":"w-1"}',
    "43 UTF-16": '{"id":"w-1"}'.encode("utf-16"),
    "43 UTF-32": '{"id":"w-1"}'.encode("utf-32"),
    "43 NUL in the key": b'{"id":"w\\u0000"}',
    "44 trailing data": b'{"id":"w-1"}{"id":"w-2"}',
    "44 comment": b'{"id":"w-1"}/* x */',
    "44 JSON5": b"{id:'w-1'}",
    "44 empty": b"",
    "44 blank": b" \r\n\t",
    "45 a text": b'"w-1"',
    "45 a number": b"7",
    "45 nothing": b"null",
    "45 no id": b'{"id":null}',
    "45 a list for an id": b'{"id":["w-1"]}',
    "45 an object for an id": b'{"id":{"a":1}}',
    "45 a flag for an id": b'{"id":true}',
    "45 an id of 1 MB": event(id="x" * MIB),
    "48 a form of 100,000 fields": b"&".join(b"a%d=1" % n for n in range(100_000)),
    "49 XML": b"<a/>",
}


@pytest.mark.parametrize("form", ["json", "form", "xml", "cloudevents"])
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_quarantined_whatever_its_format_and_type(
    name: str, form: str
) -> None:
    body = UNREADABLE[name]
    for claimed in ("application/json", "application/x-www-form-urlencoded", "text/xml", "x"):
        (statement,) = parse(body, ("content-type", claimed), format=form)
        assert (Fate.UNREADABLE, body_key(body)) == (statement.fate, statement.dedupe_key)
        assert len(statement.note) < 1000


@pytest.mark.parametrize(
    ("body", "key"),
    [
        pytest.param(b'{"id":"w-1","id":"w-2"}', "w-2", id="39 twice"),
        pytest.param(b'{"id":"w-1","\\u0069d":"w-2"}', "w-2", id="39 twice in two spellings"),
        pytest.param(b'{"id":9007199254740993}', "9007199254740993", id="41 2^53+1"),
        pytest.param(b'{"id":18446744073709551615}', "18446744073709551615", id="41 2^64-1"),
        pytest.param(b'{"id":-0}', "0", id="41 -0"),
        pytest.param(b'{"id":"a\\nb"}', "a\nb", id="45 line feed"),
        pytest.param(b'{"id":"../a"}', "../a", id="45 slash"),
        pytest.param(b'{"id":"\';DROP TABLE events;--"}', "';DROP TABLE events;--", id="45 SQL"),
        pytest.param(b'{"id":"W-1"}', "W-1", id="46 upper case"),
        pytest.param('{"id":"é"}'.encode(), "é", id="46 composed"),
        pytest.param('{"id":"é"}'.encode(), "é", id="46 decomposed"),
        pytest.param('{"id":"а"}'.encode(), "а", id="46 look-alike"),  # noqa: RUF001  # Cyrillic
    ],
)
def test_an_odd_key_is_taken_exactly_as_written(body: bytes, key: str) -> None:
    (statement,) = parse(body)
    assert key == statement.dedupe_key


@pytest.mark.parametrize(
    "written",
    ["18446744073709551616", "1e3", "1.0", "9" * 4301, "-1.5"],
    ids=["2^64", "exponent", "1.0", "4,301 digits", "fraction"],
)
def test_41_a_number_that_may_not_be_exact_is_no_key_and_no_order(written: str) -> None:
    (statement,) = parse(b'{"id":%s}' % written.encode())
    assert Fate.UNREADABLE is statement.fate
    (statement,) = parse(b'{"id":"w-1","order":%s,"state":"PICKING"}' % written.encode())
    assert statement.fate in {Fate.UNRESOLVED, Fate.UNREADABLE}
    assert statement.ref is None


def test_42_a_million_keys_are_read_past() -> None:
    many = b",".join(b'"%d":0' % n for n in range(1_000_000))
    (statement,) = parse(b"{" + many + b"," + event()[1:])
    assert ("w-1", Fate.FOLD) == (statement.dedupe_key, statement.fate)


@pytest.mark.parametrize(
    "wrong", [None, [], {}, True, 1.5, "", " ", "\0", "x" * 257, ["1001"], {"a": "1001"}]
)
def test_45_a_wrong_type_for_the_order_is_no_order(wrong: object) -> None:
    (statement,) = parse(event(order=wrong))
    assert (Fate.UNRESOLVED, None) == (statement.fate, statement.ref)


@pytest.mark.parametrize("wrong", [None, [], {}, 1.5, "", "\0", "x" * 257, ["PICKING"]])
def test_45_a_wrong_type_for_the_status_is_unmapped(wrong: object) -> None:
    (statement,) = parse(event(state=wrong))
    assert (Fate.UNMAPPED, None) == (statement.fate, statement.status)


@pytest.mark.parametrize("wrong", [[], {}, "x" * 2000, "\0", {"a": 1}])
def test_45_a_wrong_type_for_a_fact_is_left_out(wrong: object) -> None:
    (statement,) = parse(event(total=wrong))
    assert (Fate.FOLD, {}) == (statement.fate, statement.attributes)


@pytest.mark.parametrize(
    "written", ["1e131071", "1e309", "9" * 5000], ids=["1e131071", "1e309", "5,000 digits"]
)
def test_40_a_number_that_would_swell_is_left_out_or_unreadable(written: str) -> None:
    (statement,) = parse(event().replace(b'"1.00"', written.encode()))
    assert {} == statement.attributes


def test_49_a_lying_content_type_changes_nothing() -> None:
    for claimed in ("text/xml", "multipart/form-data; boundary=x", "application/x-none", ""):
        assert parse(event()) == parse(event(), ("content-type", claimed))
