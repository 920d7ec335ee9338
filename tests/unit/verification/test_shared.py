"""Secrets that travel with the request: where they are looked for, and how they are taken out."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.verification import shared
from service.intake.verification.shared import (
    Basic,
    Bearer,
    HeaderSecret,
    Query,
    Shared,
    UrlToken,
)
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    QueryRule,
    Secret,
    Source,
    UrlTokenRule,
)

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
TOKENS = (b"token-0", b"token-1")
KEY = HeaderRule(header="X-Api-Key", prefix="Key ")
QUERY = QueryRule(parameter="api_key")


def request(*headers: tuple[str, str], tail: str = "", query: str = "") -> RawRequest:
    path = f"/webhooks/wms/{tail}" if tail else "/webhooks/wms"
    return RawRequest("POST", path, query, headers, b"{}", NOW, tail=tail)


def reason(guard: Shared, asked: RawRequest) -> str:
    answer = guard.verify(asked, now=NOW)
    assert isinstance(answer, Forged)
    return answer.reason


@pytest.mark.parametrize("value", ["Bearer token-1", "bearer token-1", "BEARER  token-1 "])
def test_a_bearer_token_is_taken_whatever_the_case_of_the_scheme(value: str) -> None:
    guard = Shared(BearerRule(), TOKENS)
    assert Genuine() == guard.verify(request(("authorization", value)), now=NOW)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Bearer token-2", "The bearer secret is none of the 2 configured."),
        ("Bearer", "The bearer secret is none of the 2 configured."),
        ("Bearer tökén", "The bearer secret is none of the 2 configured."),
        ("Basic dG9rZW4tMQ==", "The header Authorization is not of the scheme bearer."),
        ("token-1", "The header Authorization is not of the scheme bearer."),
    ],
)
def test_another_authorization_is_not_a_bearer_token(value: str, expected: str) -> None:
    guard = Shared(BearerRule(), TOKENS)
    assert expected == reason(guard, request(("authorization", value)))


@pytest.mark.parametrize("value", ["Basic ***", "Basic d", "Basic \udcff"])
def test_basic_credentials_that_are_not_base64_are_refused(value: str) -> None:
    guard = Shared(BasicRule(), (b"user:password",))
    expected = "The header Authorization does not carry base64 after the scheme."
    assert expected == reason(guard, request(("authorization", value)))


def test_a_secret_header_is_taken_with_its_prefix() -> None:
    guard = Shared(KEY, TOKENS)
    assert Genuine() == guard.verify(request(("x-api-key", "Key token-0")), now=NOW)


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], "The header X-Api-Key is missing."),
        (["token-1"], "X-Api-Key carries no secret that starts with `Key `."),
        (["Key "], "The secret in the header is none of the 2 configured."),
        (["Key token-1"] * 2, "The header X-Api-Key was sent 2 times; only once is safe."),
        (["Key token-é\udcff"], "The secret in the header is none of the 2 configured."),
    ],
)
def test_anything_else_in_the_secret_header_is_refused(headers: list[str], expected: str) -> None:
    asked = request(*(("x-api-key", value) for value in headers))
    assert expected == reason(Shared(KEY, TOKENS), asked)


@pytest.mark.parametrize(
    "query", ["api_key=token-1", "a=b&api%5Fkey=token%2d1", "%61pi_key=token-0"]
)
def test_a_secret_parameter_is_taken_in_every_spelling(query: str) -> None:
    assert Genuine() == Shared(QUERY, TOKENS).verify(request(query=query), now=NOW)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "The query string carries no api_key."),
        ("api-key=token-1", "The query string carries no api_key."),
        ("api_key=", "The secret in the query string is none of the 2 configured."),
        ("api_key=%ff%00", "The secret in the query string is none of the 2 configured."),
        ("api_key=token-1&api%5fkey=x", "api_key was sent 2 times; only once is safe."),
        ("a=b&" * 65 + "api_key=token-1", "The query string carries no api_key."),
    ],
)
def test_anything_else_in_the_query_is_refused(query: str, expected: str) -> None:
    assert expected == reason(Shared(QUERY, TOKENS), request(query=query))


@pytest.mark.parametrize("tail", ["token-0", "token-1", "token-1/", "token-1/orders/created"])
def test_a_token_is_the_first_step_of_the_tail(tail: str) -> None:
    assert Genuine() == Shared(UrlTokenRule(), TOKENS).verify(request(tail=tail), now=NOW)


@pytest.mark.parametrize(
    "tail", ["token", "token-1x", "TOKEN-1", "x/token-1", "token-1\0", "é\ufffd"]
)
def test_another_tail_is_refused(tail: str) -> None:
    expected = "The token in the URL is none of the 2 configured."
    assert expected == reason(Shared(UrlTokenRule(), TOKENS), request(tail=tail))


@pytest.mark.parametrize("tail", ["", "/token-1"])
def test_a_url_without_its_token_is_refused(tail: str) -> None:
    assert "The URL ends without its token." == reason(
        Shared(UrlTokenRule(), TOKENS), request(tail=tail)
    )


@pytest.mark.parametrize(
    ("tail", "path"),
    [
        ("token-1", "/webhooks/wms/redacted"),
        ("token-1/", "/webhooks/wms/redacted/"),
        ("token-1/a b/%", "/webhooks/wms/redacted/a%20b/%25"),
    ],
)
def test_the_token_is_taken_out_and_the_rest_of_the_tail_stays(tail: str, path: str) -> None:
    redacted = Shared(UrlTokenRule(), TOKENS).redact(request(tail=tail))
    assert (path, tail.replace("token-1", "redacted")) == (redacted.path, redacted.tail)


def test_the_secret_parameter_is_taken_out_and_the_others_stay_as_they_came() -> None:
    redacted = Shared(QUERY, TOKENS).redact(request(query="a=%7E&api_key=token-1&&b"))
    assert "a=%7E&api_key=redacted&&b" == redacted.query


@pytest.mark.parametrize(
    ("rule", "header"),
    [(BearerRule(), "authorization"), (BasicRule(), "authorization"), (KEY, "x-api-key")],
)
def test_the_secret_header_is_taken_out_and_the_others_stay(
    rule: BearerRule | BasicRule | HeaderRule, header: str
) -> None:
    redacted = Shared(rule, TOKENS).redact(request((header, "token-1"), ("x-kind", "order")))
    assert (("x-kind", "order"),) == redacted.headers


def wms(**rules: Any) -> Source:
    return Source.model_validate({"name": "wms", "provider": "generic", **rules})


def test_while_the_token_is_changed_the_older_ones_are_taken_too() -> None:
    new, old = Secret.plain("new"), Secret.plain("old")
    assert (b"new", b"old") == shared.url_token(wms(url_token=new, secrets=(old,))).secrets


def test_a_source_without_a_token_is_not_built() -> None:
    with pytest.raises(ConfigurationError, match="has no url_token"):
        shared.url_token(wms(secrets=(Secret.plain("old"),)))


def test_a_guard_does_not_show_its_secrets() -> None:
    assert "token-0" not in repr(Shared(BearerRule(), TOKENS))


SCHEMES: dict[str, tuple[HeaderSecret | Bearer | Basic | Query | UrlToken, RawRequest]] = {
    "a secret in the header X-Api-Key": (
        HeaderSecret("X-Api-Key", prefix="Key "),
        request(("x-api-key", "Key token-0")),
    ),
    "a bearer token": (Bearer(), request(("authorization", "Bearer token-0"))),
    "user and password (HTTP basic)": (
        Basic(),
        request(("authorization", f"Basic {b64encode(b'token-0').decode()}")),
    ),
    "a secret in the query string (key)": (Query("key"), request(query="key=token-0")),
    "token in the URL": (UrlToken(), request(tail="token-0")),
}


@pytest.mark.parametrize("summary", SCHEMES)
def test_a_scheme_takes_the_secrets_of_its_source(summary: str) -> None:
    scheme, asked = SCHEMES[summary]
    token = Secret.plain("token-0")
    known = wms(url_token=token) if summary == "token in the URL" else wms(secrets=(token,))
    guard = scheme.guard(known)
    assert summary == scheme.summary
    assert Genuine() == guard.verify(asked, now=NOW)
    assert "token-0" not in repr(guard.redact(asked))
    assert asked == guard.open(asked)
    wrong = replace(asked, headers=(), query="", tail="")
    answer = guard.verify(wrong, now=NOW)
    assert isinstance(answer, Forged)
    assert Cause.MISSING is answer.cause
    with pytest.raises(ConfigurationError, match="The source wms has no"):
        scheme.guard(wms())
