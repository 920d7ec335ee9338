"""Attacks on schemes: keys that everybody knows, marks anybody may set, copies of addresses."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest
from service.intake.providers.shops import saleor
from service.intake.verification import certificates, keyring, pinned, shared
from service.intake.verification.hashes import Fields
from service.intake.verification.hmacs import Hmac
from service.intake.verification.itemised import Itemised
from service.intake.verification.keyring import Spelling
from service.settings import Secret, Source
from tests.unit.verification.keypairs import ec_key, pem

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
PEM = pem(ec_key())


def source(*secrets: bytes | str, **rules: Any) -> Source:
    kept = tuple(Secret.plain(each) for each in secrets)
    return Source.model_validate(
        {"name": "tested", "provider": "generic", "secrets": kept, **rules}
    )


def posted(body: bytes, *headers: tuple[str, str], **parts: Any) -> RawRequest:
    usual = RawRequest("POST", "/webhooks/tested", "", headers, body, NOW)
    return replace(usual, **parts)


# --- keys --------------------------------------------------------------------------------------

PUBLIC = (PEM, b" " + PEM, b"\n" + PEM, b'{"keys":[]}', b' {"kty":"RSA"}')


@pytest.mark.parametrize("public", PUBLIC)
def test_what_anybody_may_know_is_no_key_of_a_hash(public: bytes) -> None:
    hashed = Fields("json", "sign", compose=lambda _, secret: secret)
    for scheme in (Hmac("X-Signature"), hashed):
        for secrets in [(public,), ("a secret", public), (public, "a secret")]:
            with pytest.raises(ConfigurationError, match="public key"):
                scheme.guard(source(*secrets))


@pytest.mark.parametrize("secret", ["{not a key set", "[1]", "7", '{"a":1}', "user:secret"])
def test_a_secret_that_only_looks_odd_is_taken(secret: str) -> None:
    assert (secret.encode(),) == keyring.keys(source(secret), "the secret", "text")


def test_a_secret_of_saleor_beside_its_public_key_makes_no_hash_of_the_public_key() -> None:
    with pytest.raises(ConfigurationError, match="public key"):
        saleor.SCHEME.guard(source(PEM, "the deprecated secret"))


def test_a_key_that_is_nothing_once_it_is_read_is_refused() -> None:
    empty: list[tuple[Spelling, str]] = [("whsec", "whsec_"), ("base64", "===="), ("hex", " ")]
    for spelling, secret in empty:
        with pytest.raises(ConfigurationError):
            keyring.keys(source(secret), "the secret", spelling)


# --- items of somebody else --------------------------------------------------------------------

ITEMS = Itemised("value", "clientState", "changeType")


def items(*states: str) -> RawRequest:
    listed = [{"clientState": state, "changeType": "updated"} for state in states]
    return posted(json.dumps({"value": listed}).encode())


def test_who_calls_himself_redacted_is_not_taken_for_one_who_showed_the_secret() -> None:
    guard = ITEMS.guard(source("secret"))
    assert isinstance(guard.verify(items("redacted"), now=NOW, keys=NO_KEYS), Forged)
    request = items("secret", "redacted")
    assert Genuine() == guard.verify(request, now=NOW, keys=NO_KEYS)
    for stored in (guard.redact(request), guard.redact(guard.redact(request))):
        read = json.loads(guard.open(stored).body)
        assert ["updated", "refused"] == [each["changeType"] for each in read["value"]]
    assert b'"secret"' not in guard.redact(request).body


def test_a_mark_of_ours_that_a_stranger_sets_proves_nothing() -> None:
    guard = ITEMS.guard(source("secret"))
    marked = json.loads(items("redacted").body) | {"orderhook_redacted": True}
    request = posted(json.dumps(marked).encode())
    assert isinstance(guard.verify(request, now=NOW, keys=NO_KEYS), Forged)


# --- copies of the address ---------------------------------------------------------------------

TOKEN = "a/token of + letters"
COPIES = [
    ("x-original-url", "/webhooks/tested/a%2Ftoken%20of%20%2B%20letters"),
    ("x-forwarded-uri", f"/webhooks/tested/{TOKEN}"),
    ("referer", "https://hooks.example.com/webhooks/tested?key=a%2Ftoken+of+%2B+letters"),
]


def test_a_token_of_the_address_is_stored_in_no_header_either() -> None:
    kept = ("x-request-id", "1")
    by_url = shared.UrlToken().guard(source(url_token=Secret.plain(TOKEN)))
    by_query = shared.Query("key").guard(source(TOKEN))
    for guard in (by_url, by_query):
        request = posted(b"{}", *COPIES, kept, tail=TOKEN, query="key=x")
        assert (kept,) == tuple(guard.redact(request).headers)


# --- addresses of keys -------------------------------------------------------------------------

ADDRESSES = [
    "http://api.paypal.com/a.pem",
    "HTTPS://api.paypal.com/a.pem",
    "https://api.paypal.com./a.pem",
    "https://api.paypal.com:443/a.pem",
    "https://api.paypal.com:/a.pem",
    "https://u@api.paypal.com/a.pem",
    "https://api.paypal.com@evil.example/a.pem",
    "https://evil.example\\@api.paypal.com/a.pem",
    "https://evil.example#api.paypal.com/a.pem",
    "https://evil.example?.paypal.com/a.pem",
    "https://api.paypal.com.evil.example/a.pem",
    "https://evilpaypal.com/a.pem",
    "https://paypal.com.pem",
    "https://api.paypal.com\n/a.pem",
    "https://api.paypal.com/a.pem\n",
    "https://evil.example\n.paypal.com/a.pem",
    "https://\tapi.paypal.com/a.pem",
    "https://api\u3002paypal.com/a.pem",
    "https://\uff41pi.paypal.com/a.pem",
    "https://xn--.paypal.com.evil/a.pem",
    "https://API.PAYPAL.COM/a.pem",
    "https://[::1].paypal.com/a.pem",
    "https://%61pi.paypal.com/a.pem",
    "https://api.paypal.com?a.pem",
    "https://api.paypal.com/?a.pem",
    "https://api.paypal.com/#a.pem",
    "https:///api.paypal.com/a.pem",
    "https:api.paypal.com/a.pem",
    "//api.paypal.com/a.pem",
    "file:///api.paypal.com/a.pem",
    "https://.paypal.com/a.pem",
    "https://api.paypal.com/" + "a" * 4096 + ".pem",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_key_is_fetched_from_the_senders_own_host_alone(address: str) -> None:
    answer = pinned.address(address, host=certificates.PAYPAL_HOST, ending=".pem")
    assert isinstance(answer, Forged)
    for host in ("sns.us-east-1.amazonaws.com", "sns.cn-north-1.amazonaws.com.cn"):
        right = f"https://{host}/SimpleNotificationService-1.pem"
        assert right == pinned.address(right, host=certificates.SNS_HOST, ending=".pem")
    for host in (
        *("sns.s3.amazonaws.com", "sns.s3-us-west-2.amazonaws.com", "sns.amazonaws.com"),
        *("sns.evil.us-east-1.amazonaws.com", "snsxus-east-1.amazonaws.com"),
        *("sns.us-east-1.amazonaws.com.evil.example", "sns.us-east-1.amazonawsXcom"),
    ):
        wrong = f"https://{host}/a.pem"
        assert isinstance(
            pinned.address(wrong, host=certificates.SNS_HOST, ending=".pem"), Forged
        ), host
