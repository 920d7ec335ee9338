"""Bodies that are unwrapped after their proof was judged."""

import hmac
import json
from base64 import b64encode
from datetime import UTC, datetime

import pytest

from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest, Verification
from service.intake.reading.mapping import Unreadable
from service.intake.verification.hmacs import Hmac
from service.intake.verification.shared import UrlToken
from service.intake.verification.wrapped import FormOrJson, Wrapped, enclosed, form_or_json
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SOURCE = Source(
    name="x", provider="generic", secrets=(Secret.plain("key"),), url_token=Secret.plain("token")
)
AS_FORM, AS_JSON = Hmac("X-Form"), Hmac("X-Json")


def request(body: bytes, header: str = "X-Json", tail: str = "") -> RawRequest:
    proof = hmac.digest(b"key", body, "sha256").hex()
    path = f"/webhooks/x/{tail}"
    return RawRequest("POST", path, "", [(header.lower(), proof)], body, NOW, tail=tail)


def judge(scheme: Wrapped | FormOrJson, asked: RawRequest) -> Verification:
    return scheme.guard(SOURCE).verify(asked, now=NOW, keys={})


def test_the_body_is_judged_as_it_came_and_read_unwrapped() -> None:
    scheme = Wrapped(AS_JSON, form_or_json)
    asked = request(b"a=1&b=%20")
    assert Genuine() == judge(scheme, asked)
    assert {"a": "1", "b": " "} == json.loads(scheme.guard(SOURCE).open(asked).body)
    assert AS_JSON.summary == scheme.summary


def test_what_the_inner_proof_hides_stays_hidden() -> None:
    guard = Wrapped(UrlToken(), form_or_json).guard(SOURCE)
    redacted = guard.redact(request(b"a=1", tail="token"))
    assert "token" not in redacted.path
    assert guard.greet(redacted) is None
    assert guard.answer(redacted) is None


@pytest.mark.parametrize("body", [b"{}", b' {"a": 1}', b"\n{broken"])
def test_what_begins_as_an_object_is_taken_for_json(body: bytes) -> None:
    assert body == form_or_json(body)


@pytest.mark.parametrize("body", [b"", b"\xff", b"a=1&a=2", b"[]", b"a=%ff"])
def test_what_is_neither_form_nor_json_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable, match=r"\.$"):
        form_or_json(body)


def test_the_kind_of_the_body_chooses_the_proof() -> None:
    scheme = FormOrJson(AS_FORM, AS_JSON)
    assert Genuine() == judge(scheme, request(b"{}", "X-Json"))
    assert Genuine() == judge(scheme, request(b"a=1", "X-Form"))
    for body, header in [(b"{}", "X-Form"), (b"a=1", "X-Json")]:
        answer = judge(scheme, request(body, header))
        assert isinstance(answer, Forged)
        assert Cause.MISSING == answer.cause
    assert AS_JSON.summary == scheme.summary


def test_base64_in_a_field_is_opened() -> None:
    assert b'{"a":1}' == enclosed(b64encode(b'{"a":1}').decode())


@pytest.mark.parametrize("value", [None, 1, "not base64!", "é", {}])
def test_a_field_that_is_no_base64_is_unreadable(value: object) -> None:
    with pytest.raises(Unreadable, match="holds no base64"):
        enclosed(value)  # type: ignore[arg-type]
