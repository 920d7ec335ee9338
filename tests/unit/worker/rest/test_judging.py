"""What an answer of a REST CRM means, by the rules of the configuration and by HTTP."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import JsonValue

from service.domain.budget import Hint
from service.settings.rest_table import RestPaging, RestRule
from service.worker.crms.base import Class, Record
from service.worker.crms.client import Call, Reply
from service.worker.crms.rest import paging
from service.worker.crms.rest.judging import Judge
from service.worker.crms.rest.paging import Astray, Read
from service.worker.crms.rest.reading import holds, look, shown

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
READ = Call("GET", "http://crm/x", "read", safe=True)
WRITE = Call("PATCH", "http://crm/x", "write")


def rule(**keys: Any) -> RestRule:
    usual = {"read": {"path": "/o/{id}"}, "write": {"path": "/o/{id}"}}
    return RestRule.model_validate({**usual, **keys})


def reply(status: int = 200, body: Any = None, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, None, named, b"" if body is None else json.dumps(body).encode())


def judge(said: Reply, call: Call = WRITE, **keys: Any) -> Any:
    return Judge(rule(**keys), lambda: AT)(said, call)


@pytest.mark.parametrize(
    ("status", "read", "write"),
    [
        (200, Class.OK, Class.OK),
        (204, Class.OK, Class.OK),
        (301, Class.HUMAN, Class.HUMAN),
        (400, Class.PERMANENT, Class.PERMANENT),
        (401, Class.AUTH, Class.AUTH),
        (402, Class.HUMAN, Class.HUMAN),
        (403, Class.HUMAN, Class.HUMAN),
        (404, Class.NOT_FOUND, Class.NOT_FOUND),
        (408, Class.TRANSIENT, Class.TRANSIENT),
        (409, Class.CONFLICT, Class.CONFLICT),
        (410, Class.NOT_FOUND, Class.NOT_FOUND),
        (412, Class.CONFLICT, Class.CONFLICT),
        (422, Class.PERMANENT, Class.PERMANENT),
        (423, Class.TRANSIENT, Class.TRANSIENT),
        (429, Class.RATE, Class.RATE),
        (500, Class.TRANSIENT, Class.UNKNOWN_OUTCOME),
        (502, Class.TRANSIENT, Class.UNKNOWN_OUTCOME),
        (503, Class.TRANSIENT, Class.TRANSIENT),
    ],
)
def test_without_rules_http_is_meant(status: int, read: Class, write: Class) -> None:
    assert (read, write) == (judge(reply(status), READ).kind, judge(reply(status), WRITE).kind)


def test_a_200_may_be_a_refusal() -> None:
    success = {"when": "ok == `true`"}
    assert Class.OK == judge(reply(200, {"ok": True}), success=success).kind
    no = judge(reply(200, {"ok": False, "why": " no\nway. "}), success=success, message="why")
    assert Class.PERMANENT == no.kind
    assert "200: no way, but not as success.when wants" in no.detail
    assert Class.UNKNOWN_OUTCOME == judge(Reply(200, None, {}, b"<html>"), success=success).kind
    assert Class.TRANSIENT == judge(Reply(200, None, {}, b"<html>"), READ, success=success).kind


def test_a_page_for_people_is_no_answer_of_an_api() -> None:
    page = Reply(200, None, {"content-type": "text/html; charset=utf-8"}, b"<html>")
    assert [Class.TRANSIENT, Class.UNKNOWN_OUTCOME] == [
        judge(page, READ).kind,
        judge(page, WRITE).kind,
    ]


def test_only_named_statuses_are_success() -> None:
    assert Class.PERMANENT == judge(reply(202, {}), success={"statuses": [200, 204]}).kind


def test_the_first_rule_that_fits_counts() -> None:
    errors = [
        {"status": [400], "match": "code == 'LOCKED'", "kind": "transient"},
        {"status": [400, 500], "pattern": "too (many|fast)", "kind": "rate", "scope": "daily"},
        {"match": "code == 'GONE'", "kind": "not_found"},
        {"status": [400], "kind": "human"},
    ]
    kinds = [
        judge(reply(400, {"code": "LOCKED", "m": "too many"}), errors=errors),
        judge(reply(400, {"m": "too fast"}), errors=errors),
        judge(reply(418, {"code": "GONE"}), errors=errors),
        judge(reply(400, {}), errors=errors),
        judge(reply(500, {}), READ, errors=errors),
    ]
    assert ["transient", "rate", "not_found", "human", "transient"] == [
        each.kind.value for each in kinds
    ]
    assert "daily" == kinds[1].scope


def test_a_refusal_may_be_meant_well() -> None:
    errors = [{"status": [409], "match": "code == 'SAME'", "kind": "ok"}]
    assert Class.OK == judge(reply(409, {"code": "SAME"}), errors=errors).kind


def test_words_are_shown_only_when_asked_for_and_short() -> None:
    body = {"message": "x" * 500 + "\x00"}
    assert "xxx" not in judge(reply(422, body)).detail
    assert 200 == judge(reply(422, body), message="message").detail.count("x")


def test_every_refusal_says_what_to_do() -> None:
    for status in (301, 400, 401, 403):
        assert len(judge(reply(status)).detail.split()) > 5, status


@pytest.mark.parametrize(
    ("headers", "body", "rate", "seconds"),
    [
        ({"x_reset": "30"}, {}, {"reset": "X-Reset"}, 30),
        (
            {"x_reset": str(int(AT.timestamp()) + 9)},
            {},
            {"reset": "X-Reset", "reset_is": "unix"},
            9,
        ),
        (
            {"x_reset": str(int(AT.timestamp() * 1000) + 2500)},
            {},
            {"reset": "X-Reset", "reset_is": "unix_ms"},
            2.5,
        ),
        ({}, {"error": {"retry_in": 4.5}}, {"wait": "error.retry_in"}, 4.5),
        ({"x_reset": "9" * 13}, {}, {"reset": "X-Reset"}, 86_400),
        ({"x_reset": "soon"}, {}, {"reset": "X-Reset"}, None),
        ({}, {"retry_in": "soon"}, {"wait": "retry_in"}, None),
    ],
)
def test_how_long_to_wait_is_read(
    headers: dict[str, str], body: Any, rate: dict[str, str], seconds: float | None
) -> None:
    answer = judge(reply(429, body, **headers), rate=rate)
    assert (timedelta(seconds=seconds) if seconds is not None else None) == answer.after


def test_what_headers_say_about_a_limit_is_learned() -> None:
    rate = {"limit": "daily", "remaining": "X-Left", "ceiling": "X-Most", "reset": "X-Reset"}
    hints = Judge(rule(rate=rate), lambda: AT).hints
    until = AT + timedelta(seconds=5)
    assert (Hint("daily", 3, 100, until),) == hints(
        reply(200, {}, x_left="3", x_most="100", x_reset="5")
    )
    assert (Hint("daily", 0, None, until, until),) == hints(reply(200, {}, x_left="0", x_reset="5"))
    assert () == hints(reply(200, {}, x_left="many"))


@pytest.mark.parametrize(
    "expression", ["length(x)", "to_number(x) > `1`", "x[0].y", "max_by(x, &y)"]
)
@pytest.mark.parametrize("document", [None, 7, "x", [], {"x": 7}, {"x": [None]}])
def test_a_search_never_raises(expression: str, document: Any) -> None:
    look(expression, document)
    holds(expression, document)


def test_values_are_shown_as_text() -> None:
    values: list[JsonValue] = [1.5, True, "x", None, [], ["a"]]
    assert ["1.5", "true", "x", None, None, '["a"]'] == [shown(each) for each in values]


# Pages of a feed.


def page(body: Any = None, *, rows: int = 2, cursor: str | None = None, **headers: str) -> Read:
    last = Record("77", None, None) if rows else None
    return Read(
        "https://crm.example.com/api/o?a=1", cursor, reply(200, body, **headers), rows, last
    )


@pytest.mark.parametrize(
    ("rule", "page", "expected"),
    [
        ({"by": "page", "size": 2}, page(cursor="3"), "4"),
        ({"by": "page", "size": 2}, page(cursor="3", rows=1), None),
        ({"by": "offset", "size": 2}, page(cursor="4"), "6"),
        ({"by": "last_id", "size": 2}, page(), "77"),
        ({"by": "last_id", "size": 2}, page(rows=0), None),
        ({"by": "cursor", "next": "n"}, page({"n": "abc"}), "abc"),
        ({"by": "cursor", "next": "n"}, page({"n": None}), None),
        (
            {"by": "link"},
            page(link='<https://crm.example.com/x?p=2>; rel="next", <https://o/>; rel="last"'),
            "https://crm.example.com/x?p=2",
        ),
        ({"by": "link"}, page(link='<https://crm.example.com/x>; rel="prev"'), None),
        (
            {"by": "link", "next": "n"},
            page({"n": "/api/o?p=2"}),
            "https://crm.example.com/api/o?p=2",
        ),
    ],
)
def test_the_next_page_is_found(rule: dict[str, Any], page: Read, expected: str | None) -> None:
    assert expected == paging.following(RestPaging.model_validate(rule), page)


@pytest.mark.parametrize(
    ("rule", "page"),
    [
        ({"by": "link", "next": "n"}, page({"n": "https://evil.example.com/"})),
        ({"by": "link", "next": "n"}, page({"n": "//evil.example.com/"})),
        ({"by": "link", "next": "n"}, page({"n": "http://crm.example.com/"})),
        ({"by": "link", "next": "n"}, page({"n": "https://crm.example.com@evil.example.com/"})),
        ({"by": "cursor", "next": "n"}, page({"n": "a"}, cursor="a")),
        ({"by": "cursor", "next": "n"}, page({"n": "a" * 3000})),
    ],
)
def test_no_page_leads_astray(rule: dict[str, Any], page: Read) -> None:
    with pytest.raises(Astray):
        paging.following(RestPaging.model_validate(rule), page)
