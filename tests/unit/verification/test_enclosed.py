"""Secrets in the body: where they are looked for, and how they are taken out of it."""

from datetime import UTC, datetime

import pytest

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.verification.shared import BodySecret
from service.sandbox.senders.occasion import Delivery, as_form, as_json
from service.sandbox.senders.signing import drafts, schemes
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SOURCE = Source.model_validate(
    {
        "name": "crm",
        "provider": "generic",
        "secrets": (Secret.plain("token-0"), Secret.plain("tok&n 1")),
    }
)
FORM = BodySecret("form", "auth[token]", also=("auth[access]",))
JSON = BodySecret("json", "auth.token", also=("auth.access",))


def request(body: bytes) -> RawRequest:
    return RawRequest("POST", "/webhooks/crm", "", (), body, NOW)


def judged(scheme: BodySecret, body: bytes) -> Genuine | Forged:
    answer = scheme.guard(SOURCE).verify(request(body), now=NOW)
    assert isinstance(answer, Genuine | Forged)
    return answer


@pytest.mark.parametrize(
    "body",
    [
        b"auth[token]=token-0",
        b"id=1&auth%5Btoken%5D=tok%26n+1&x=",
        b"auth%5btoken%5d=tok%26n%201\r\n",
    ],
)
def test_the_field_of_a_form_is_taken_in_every_spelling(body: bytes) -> None:
    assert Genuine() == judged(FORM, body)


@pytest.mark.parametrize(
    "body", [b'{"auth":{"token":"token-0"}}', b'{"auth":{"token":"tok\\u0026n 1"}}']
)
def test_the_place_in_json_is_taken_in_every_spelling(body: bytes) -> None:
    assert Genuine() == judged(JSON, body)


@pytest.mark.parametrize(
    ("scheme", "body", "cause"),
    [
        (FORM, b"", Cause.MISSING),
        (FORM, b"token=token-0", Cause.MISSING),
        (FORM, b"auth[token]=", Cause.WRONG_SECRET),
        (FORM, b"auth[token]=token-1", Cause.WRONG_SECRET),
        (FORM, b"auth[token]=%ff%00", Cause.WRONG_SECRET),
        (FORM, b"auth[token]=token-0&auth%5Btoken%5D=x", Cause.REPEATED),
        (FORM, b"a=b&" * 1000 + b"auth[token]=token-0", Cause.MISSING),
        (FORM, b"auth[token]=" + b"x" * 9000, Cause.MALFORMED),
        (JSON, b"", Cause.MALFORMED),
        (JSON, b"[]", Cause.MISSING),
        (JSON, b'{"auth":{"token":5}}', Cause.MISSING),
        (JSON, b'{"auth":{"token":"token-1"}}', Cause.WRONG_SECRET),
        (JSON, b'{"auth":{"token":"' + b"x" * 9000 + b'"}}', Cause.MALFORMED),
    ],
)
def test_anything_else_is_refused(scheme: BodySecret, body: bytes, cause: Cause) -> None:
    answer = judged(scheme, body)
    assert isinstance(answer, Forged)
    assert cause is answer.cause
    assert "token-0" not in answer.reason


@pytest.mark.parametrize(
    ("scheme", "body", "expected"),
    [
        (
            FORM,
            b"a=%7E&auth%5Btoken%5D=token-0&&auth[access]=abc&b",
            b"a=%7E&auth%5Btoken%5D=redacted&&auth[access]=redacted&b",
        ),
        (FORM, b"\xff=1&auth[token]", b"\xff=1&auth[token]=redacted"),
        (
            JSON,
            b'{"n": 1.50, "auth": {"token": "t\\u006fken-0", "access": "a\\"b"}, "a": "b"}',
            b'{"n": 1.50, "auth": {"token": "redacted", "access": "redacted"}, "a": "b"}',
        ),
        (JSON, b'{"n": 1.50, "auth": {"token": 7}}', b'{"n": 1.50, "auth": {"token": 7}}'),
        (JSON, b'{"auth": {"token": ""}, "b": ""}', b'{"auth": {"token": ""}, "b": ""}'),
        (JSON, b"no json", b"no json"),
    ],
)
def test_the_secrets_are_taken_out_and_all_else_stays(
    scheme: BodySecret, body: bytes, expected: bytes
) -> None:
    guard = scheme.guard(SOURCE)
    redacted = guard.redact(request(body))
    assert expected == redacted.body
    assert redacted == guard.redact(redacted)


@pytest.mark.parametrize("scheme", [FORM, JSON])
def test_a_scheme_says_what_it_asks_for_and_shows_no_secret(scheme: BodySecret) -> None:
    assert f"a secret in the body ({scheme.place})" == scheme.summary
    assert "token-0" not in repr(scheme.guard(SOURCE))
    with pytest.raises(ConfigurationError, match="The source crm has no"):
        scheme.guard(SOURCE.model_copy(update={"secrets": ()}))


@pytest.mark.parametrize("scheme", [FORM, JSON])
@pytest.mark.parametrize("body", [b"", b"id=1"])
def test_a_simulated_sender_shows_the_secret(scheme: BodySecret, body: bytes) -> None:
    form, delivery = scheme.where == "form", Delivery(NOW)
    draft = as_form(SOURCE, body, delivery) if form else as_json(SOURCE, b'{"id":1}', delivery)
    shown = drafts.arrived(SOURCE, schemes.signer(scheme).prove(SOURCE, draft, delivery), delivery)
    assert Genuine() == scheme.guard(SOURCE).verify(shown, now=NOW)
    assert body in shown.body or not form
