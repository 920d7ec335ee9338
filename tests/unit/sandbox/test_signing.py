"""Simulated senders sign by every scheme as the intake verifies, and not with another key."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.intake.preset import Scheme
from service.intake.provider import (
    NO_KEYS,
    Forged,
    Genuine,
    RawRequest,
    SignedRequest,
    Verification,
    Wanted,
)
from service.intake.reading.paths import JSON
from service.intake.verification import certificates, sealed, shared
from service.intake.verification.combined import all_of, any_of
from service.intake.verification.hashes import Digest, Fields, scalars
from service.intake.verification.hmacs import Hmac
from service.intake.verification.publickeys import PublicKey, json64
from service.intake.verification.standard import StandardWebhooks
from service.intake.verification.tokens import Token
from service.sandbox.senders.occasion import Delivery, Pair, Signer
from service.sandbox.senders.signing import drafts, publickeys, schemes
from service.settings import Source

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
DELIVERY = Delivery(AT, "evt-1")
OPTIONS: dict[str, JSON] = {"webhook_id": "WH-1", "topics": ["arn:1"], "app": "me"}


def composed(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    return "|".join(scalars(fields).values()).encode() + secret


BODY: dict[str, JSON] = {"id": "1", "resource": {"a": 1}, "items": [{"n": 1.5}]}
NOTE: dict[str, JSON] = {
    **dict.fromkeys(("Message", "MessageId", "Timestamp"), "x"),
    "TopicArn": "arn:1",
    "Type": "Notification",
}
SIGNED: dict[str, tuple[Scheme, dict[str, JSON]]] = {
    "hmac": (Hmac("X-Sign"), BODY),
    "hmac pairs": (Hmac("X-Sign", message="{time}.{body}", pairs=("t", "v1")), BODY),
    "hmac pairs with id": (
        Hmac("X-Sign", message="{id};{time};{body}", pairs=("ts", "h"), id="pair:id"),
        BODY,
    ),
    "hmac template": (
        Hmac(
            "X-Sign",
            message="{method}{url}{id}{time}{body64}",
            time="header:X-Time",
            unit="http",
            id="header:X-Id",
            key="base64",
            encoding="base64",
        ),
        BODY,
    ),
    "hmac query": (Hmac("sign", where="query", message="{time}{body}", time="query:at"), BODY),
    "hmac in body": (
        Hmac("", where="body:sign", canonical=lambda request: request.method.encode()),
        BODY,
    ),
    "hmac ms": (Hmac("X", message="{time}{body}", time="header:T", unit="ms", key="hex"), BODY),
    "hmac iso": (Hmac("X", message="{time}{body}", time="header:T", unit="iso"), BODY),
    "fields json": (Fields("json", "meta.sign", compose=composed, exclude=("meta",)), BODY),
    "fields items": (Fields("json", "sign", compose=composed, keyed=True, items="items"), BODY),
    "digest": (Digest("X-Sign", "{body}{secret}"), BODY),
    "standard": (StandardWebhooks(), BODY),
    "rsa": (PublicKey("X-Sign"), BODY),
    "rsa pss": (PublicKey("X-Sign", "rsa-pss-sha256", encoding="hex"), BODY),
    "ecdsa": (
        PublicKey("X-Sign", "ecdsa-sha256", message="{time}{body}", time="header:T"),
        BODY,
    ),
    "ecdsa raw": (PublicKey("X-Sign", "ecdsa-sha256", ecdsa="raw"), BODY),
    "ed25519": (PublicKey("sign", "ed25519", where="query"), BODY),
    "fetched": (PublicKey("X-Sign", fetched="https://keys.example.com/a"), BODY),
    "jwt": (Token(issuer="them", audience="option:app", body_hash="sha"), BODY),
    "jwt shared": (Token("header:X-Jwt", "HS256"), BODY),
    "jwt as body": (Token("body", "ES256", require=("exp", "iat"), unfold=("resource",)), BODY),
    "jwt in body": (Token("body:token", "EdDSA", fresh=True), BODY),
    "jws detached": (Token("detached:X-Sign", "PS256", fetched="https://keys.example.com"), BODY),
    "paypal": (certificates.PayPal(), BODY),
    "sns": (certificates.Sns(), NOTE),
    "dingtalk": (sealed.DINGTALK, BODY),
    "wecom": (sealed.WECOM, BODY),
    "yonyou": (sealed.YONYOU, BODY),
    "lark": (sealed.Lark(), BODY),
    "wechat pay": (sealed.WeChatPay(), BODY),
    "header": (shared.HeaderSecret("X-Key", "Key "), BODY),
    "bearer": (shared.Bearer(), BODY),
    "basic": (shared.Basic(), BODY),
    "query": (shared.Query("key"), BODY),
    "url token": (shared.UrlToken(), BODY),
    "all of": (all_of(Hmac("X-Sign"), shared.Query("key")), BODY),
    "any of": (any_of(Hmac("X-Sign"), shared.Bearer()), BODY),
}


def source(*secrets: Any) -> Source:
    made = Source(name="tested", provider="x", secrets=secrets, options=OPTIONS)
    return made.model_copy(update={"url_token": secrets[0] if secrets else None})


def known(pair: Pair) -> Source:
    return source(*(each for each in (pair.verify_with, *pair.besides) if each))


def signed(signer: Signer, pair: Pair, body: bytes) -> RawRequest:
    sender = source(pair.sign_with, *pair.besides)
    draft = signer.prove(sender, SignedRequest({}, body), DELIVERY)
    return drafts.arrived(sender, draft, DELIVERY)


def verdict(scheme: Scheme, pair: Pair, request: RawRequest) -> Verification:
    guard = scheme.guard(known(pair))
    first = guard.verify(request, now=AT, keys=NO_KEYS)
    return (
        guard.verify(request, now=AT, keys=pair.documents) if isinstance(first, Wanted) else first
    )


@pytest.mark.parametrize("name", SIGNED)
def test_what_a_sender_signs_is_genuine(name: str) -> None:
    scheme, body = SIGNED[name]
    signer = schemes.signer(scheme)
    request = signed(signer, signer.keys("old"), orjson.dumps(body))
    assert Genuine() == verdict(scheme, signer.keys("old"), request)
    assert scheme.guard(known(signer.keys("old"))).open(request).body


@pytest.mark.parametrize("name", SIGNED)
def test_what_another_key_signs_is_not(name: str) -> None:
    scheme, body = SIGNED[name]
    signer = schemes.signer(scheme)
    request = signed(signer, signer.keys("other"), orjson.dumps(body))
    assert isinstance(verdict(scheme, signer.keys("old"), request), Forged)


def test_a_form_is_signed_in_a_field_of_its_own() -> None:
    for scheme in (Fields("form", "sign", compose=composed), PublicKey("sign", where="form")):
        chosen: Scheme = scheme
        if isinstance(scheme, PublicKey):
            chosen = replace(scheme, canonical=lambda request: request.method.encode())
        signer = schemes.signer(chosen)
        request = signed(signer, signer.keys("old"), b"a=1&b=%C3%A9")
        assert Genuine() == verdict(chosen, signer.keys("old"), request)


def test_an_envelope_in_a_header_is_sealed() -> None:
    scheme = PublicKey("X-Sign", "ed25519", envelope=json64, key_id="pair:kid")
    scheme = replace(scheme, key_id="")
    signer = publickeys.signer(scheme, seal=publickeys.json64)
    request = signed(signer, signer.keys("old"), b"{}")
    assert Genuine() == verdict(scheme, signer.keys("old"), request)


def test_without_the_private_key_people_are_told_how_to_get_one() -> None:
    signer = schemes.signer(PublicKey("X-Sign"))
    with pytest.raises(ConfigurationError, match="--key-file"):
        signer.prove(known(signer.keys("old")), SignedRequest({}, b"{}"), DELIVERY)


def test_an_unknown_scheme_is_told_in_a_sentence() -> None:
    class Odd:
        summary = "magic"

        def guard(self, source: Source) -> Any:
            raise NotImplementedError

    with pytest.raises(ConfigurationError, match="by magic"):
        schemes.signer(Odd())
