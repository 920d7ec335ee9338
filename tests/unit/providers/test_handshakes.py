"""Tests of an address: what is answered before anything is verified, and what is not."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.answering import replies
from service.intake.answering.handshakes import MAX_BODY, greet
from service.intake.provider import RawRequest, Reply
from service.intake.providers import registry
from service.intake.providers.anyone import generic
from service.settings import (
    EchoRule,
    HandshakeRule,
    JsonEchoRule,
    OriginRule,
    Secret,
    Source,
    TextRule,
)

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
ECHO = EchoRule(parameter="challenge")
JSON = JsonEchoRule(challenge="type == 'url_verification' && challenge")
RULES: list[HandshakeRule] = [ECHO, JSON, TextRule(body="hello"), OriginRule()]
ASKED = b'{"type":"url_verification","challenge":"abc","token":"x"}'


def request(
    method: str = "GET", *, query: str = "", body: bytes = b"", origin: str | None = None
) -> RawRequest:
    headers = [("webhook-request-origin", origin)] if origin is not None else []
    return RawRequest(method, "/webhooks/wms", query, headers, body, NOW)


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_a_parameter_is_given_back_as_plain_text(method: str) -> None:
    expected = Reply(200, b"a<b> c", replies.PLAIN)
    assert expected == greet(ECHO, request(method, query="mode=x&challenge=a%3Cb%3E+c"))
    assert "text/plain; charset=utf-8" == expected.headers["Content-Type"]
    assert "nosniff" == expected.headers["X-Content-Type-Options"]


@pytest.mark.parametrize(
    "query",
    [
        "",
        "challenge",
        "challenge=",
        "challenge=a&challenge=b",
        "challenge=a%0D%0AX-Evil:1",
        "challenge=%00",
        "challenge=%ff",
        "challenge=%C3%A9",
        "challenge=" + "a" * 1025,
        "&".join(["a=b"] * 64) + "&challenge=a",
    ],
)
def test_a_parameter_that_could_do_harm_is_not_given_back(query: str) -> None:
    assert greet(ECHO, request(query=query)) is None


def test_a_fixed_text_answers_get_alone() -> None:
    rule = TextRule(body="hello")
    assert Reply(200, b"hello", replies.PLAIN) == greet(rule, request())
    assert greet(rule, request("POST")) is None
    assert greet(rule, request("OPTIONS")) is None


def test_a_challenge_in_json_is_given_back_in_json() -> None:
    expected = Reply(200, b'{"challenge":"abc"}', replies.JSON)
    assert expected == greet(JSON, request("POST", body=ASKED))


def test_the_key_of_the_answer_and_the_place_of_the_question_may_differ() -> None:
    rule = JsonEchoRule(challenge="[0].data.validationCode", answer="validationResponse")
    asked = b'[{"data":{"validationCode":"512d"}}]'
    expected = Reply(200, b'{"validationResponse":"512d"}', replies.JSON)
    assert expected == greet(rule, request("POST", body=asked))


@pytest.mark.parametrize(
    ("method", "body"),
    [
        ("GET", ASKED),
        ("POST", b""),
        ("POST", b"junk"),
        ("POST", b"[" * 5000),
        ("POST", b'{"type":"order","challenge":"abc"}'),
        ("POST", b'{"type":"url_verification"}'),
        ("POST", b'{"type":"url_verification","challenge":7}'),
        ("POST", b'{"type":"url_verification","challenge":{"a":"b"}}'),
        ("POST", b'{"type":"url_verification","challenge":"\\u0000"}'),
        ("POST", ASKED + b" " * MAX_BODY),
    ],
)
def test_what_is_no_challenge_is_left_to_be_verified(method: str, body: bytes) -> None:
    assert greet(JSON, request(method, body=body)) is None


def test_cloudevents_asks_with_options_and_is_allowed() -> None:
    expected = Reply(200, b"", {"Allow": "POST", "WebHook-Allowed-Origin": "events.example.com"})
    assert expected == greet(OriginRule(), request("OPTIONS", origin="events.example.com"))


@pytest.mark.parametrize(
    ("method", "origin"),
    [("OPTIONS", None), ("OPTIONS", ""), ("OPTIONS", "a\r\nb"), ("OPTIONS", "é"), ("POST", "a")],
)
def test_other_options_are_not(method: str, origin: str | None) -> None:
    assert greet(OriginRule(), request(method, origin=origin)) is None


@given(
    rule=st.sampled_from(RULES),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "POST"]),
    query=st.text(max_size=40),
    body=st.binary(max_size=60),
    origin=st.none() | st.text(max_size=20),
)
def test_no_request_makes_a_handshake_raise(
    rule: HandshakeRule, method: str, query: str, body: bytes, origin: str | None
) -> None:
    reply = greet(rule, request(method, query=query, body=body, origin=origin))
    assert reply is None or (reply.status == 200 and len(reply.body) <= 1100)


def wms(**rules: Any) -> Source:
    usual = {"verify": {"scheme": "bearer"}, "subject": {"ref": "order"}, "status": "state"}
    secrets = (Secret.plain("secret"),)
    made = {"name": "wms", "provider": "generic", "secrets": secrets, **usual, **rules}
    return Source.model_validate(made)


def test_a_source_greets_and_answers_only_as_it_is_told_to() -> None:
    plain = generic.build(wms())
    assert (None, None) == (plain.handshake(request()), plain.acknowledge(request()))
    told = generic.build(
        wms(
            handshake={"kind": "text", "body": "hello"},
            answer={"status": 201, "body": '{"ok":true}', "content_type": "application/json"},
        )
    )
    assert Reply(200, b"hello", replies.PLAIN) == told.handshake(request())
    expected = Reply(201, b'{"ok":true}', {"Content-Type": "application/json"})
    assert expected == told.acknowledge(request("POST"))


def test_a_preset_neither_greets_nor_answers_in_its_own_way_unless_it_says_so() -> None:
    stripe = Source(name="s", provider="stripe", secrets=(Secret.plain("whsec_x"),))
    built = registry.preset("stripe").build(stripe)
    assert (None, None) == (built.handshake(request()), built.acknowledge(request()))
    assert 401 == built.refusal
    assert request("POST") == built.redact(request("POST"))
