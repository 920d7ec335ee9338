"""Public-key signatures: what the private key signed passes, and nothing else does."""

import json
from base64 import b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification, Wanted
from service.intake.verification import material
from service.intake.verification.asymmetric import Algorithm
from service.intake.verification.material import Key, NoKey
from service.intake.verification.publickeys import PublicKey, json64
from service.intake.verification.signing import MAX_HEADER
from tests.unit.verification.keypairs import (
    BODY,
    NOW,
    STAMP,
    certificate,
    der,
    ec_key,
    ed_key,
    jwk,
    jwks,
    pem,
    request,
    rsa_key,
    source,
    written,
)

URL = "https://keys.example.com/jwks"
PKCS1 = padding.PKCS1v15()


def signature(algorithm: Algorithm, message: bytes, curve: str = "secp256r1") -> bytes:
    digest = {
        "1": hashes.SHA1(), "6": hashes.SHA256(), "4": hashes.SHA384(), "2": hashes.SHA512()
    }.get(algorithm[-1], hashes.SHA256())  # fmt: skip
    if algorithm == "ed25519":
        return ed_key().sign(message)
    if algorithm.startswith("ecdsa"):
        return ec_key(curve).sign(message, ec.ECDSA(digest))
    if "pss" in algorithm:
        return rsa_key().sign(message, padding.PSS(padding.MGF1(digest), 32), digest)
    return rsa_key().sign(message, PKCS1, digest)


def private(algorithm: Algorithm) -> Any:
    if algorithm == "ed25519":
        return ed_key()
    return ec_key() if algorithm.startswith("ecdsa") else rsa_key()


def judged(scheme: PublicKey, sent: RawRequest, *secrets: bytes, **more: Any) -> Verification:
    keys = more.pop("keys", NO_KEYS)
    return scheme.guard(source(*secrets, **more)).verify(sent, now=NOW, keys=keys)


ALGORITHMS: tuple[Algorithm, ...] = (
    "rsa-sha256", "rsa-sha384", "rsa-sha512", "rsa-sha1", "rsa-pss-sha256", "rsa-pss-sha512",
    "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512", "ecdsa-sha1", "ed25519",
)  # fmt: skip


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_algorithm_passes_its_own_signature_and_no_flipped_bit(algorithm: Algorithm) -> None:
    scheme = PublicKey("X-Sign", algorithm)
    raw = signature(algorithm, BODY)
    key = pem(private(algorithm))

    def sent(sign: bytes, body: bytes = BODY) -> RawRequest:
        return request([("X-Sign", b64encode(sign).decode())], body)

    assert Genuine() == judged(scheme, sent(raw), key)
    flipped = raw[:-1] + bytes([raw[-1] ^ 1])
    for wrong in (sent(flipped), sent(raw, BODY + b" "), sent(raw[:-1]), sent(b"x")):
        refused = judged(scheme, wrong, key)
        assert isinstance(refused, Forged)
        assert Cause.WRONG_SECRET == refused.cause


def test_one_of_several_keys_is_enough_and_another_key_is_not() -> None:
    sent = request([("X-Sign", signature("rsa-sha256", BODY).hex())])
    scheme = PublicKey("X-Sign", encoding="hex")
    assert Genuine() == judged(scheme, sent, pem(rsa_key(1)), pem(rsa_key()))
    assert isinstance(judged(scheme, sent, pem(rsa_key(1))), Forged)


@pytest.mark.parametrize("curve", ["secp256r1", "secp256k1"])
def test_ecdsa_may_be_written_as_two_halves(curve: str) -> None:
    r, s = decode_dss_signature(signature("ecdsa-sha256", BODY, curve))
    raw = r.to_bytes(32) + s.to_bytes(32)
    scheme = PublicKey("X-Sign", "ecdsa-sha256", ecdsa="raw")
    sent = request([("X-Sign", b64encode(raw).decode())])
    assert Genuine() == judged(scheme, sent, pem(ec_key(curve)))
    assert isinstance(judged(replace(scheme, ecdsa="der"), sent, pem(ec_key(curve))), Forged)


@pytest.mark.parametrize(
    "text",
    [
        pem(rsa_key()),
        b64encode(pem(rsa_key())),
        b64encode(der(rsa_key())),
        pem(rsa_key()).replace(b"\n", b""),
        written(certificate(rsa_key(), "x.example")),
        jwks(jwk(rsa_key())),
    ],
    ids=["pem", "base64 of pem", "base64 of der", "pem in one line", "certificate", "key set"],
)
def test_a_key_may_be_pasted_as_the_sender_shows_it(text: bytes) -> None:
    sent = request([("X-Sign", b64encode(signature("rsa-sha256", BODY)).decode())])
    assert Genuine() == judged(PublicKey("X-Sign"), sent, text)


def test_a_raw_ed25519_key_may_be_hex_or_base64() -> None:
    raw = ed_key().public_key().public_bytes_raw()
    sent = request([("X-Sign", b64encode(signature("ed25519", BODY)).decode())])
    for text in (raw.hex().encode(), b64encode(raw)):
        assert Genuine() == judged(PublicKey("X-Sign", "ed25519"), sent, text)


@pytest.mark.parametrize(
    "text",
    [
        b"sk_live_secret",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----",
        b"{}",
        jwks({"kty": "oct", "k": "c2VjcmV0"}),
        pem(ec_key()),
        b"A" * 70_000,
    ],
)
def test_what_is_no_key_of_the_kind_is_refused_at_the_start(text: bytes) -> None:
    with pytest.raises(ConfigurationError, match="shop"):
        PublicKey("X-Sign").guard(source(text))


def test_without_any_key_the_source_is_refused_at_the_start() -> None:
    with pytest.raises(ConfigurationError):
        PublicKey("X-Sign").guard(source())
    with pytest.raises(ConfigurationError, match="token"):
        PublicKey("X-Sign", fetched=URL, authorized=True).guard(source())


TIMED = PublicKey("X-Sign", message="{time}.{body}", time="header:X-Time")


def timed(stamp: str) -> RawRequest:
    sign = signature("rsa-sha256", stamp.encode() + b"." + BODY)
    return request([("X-Sign", b64encode(sign).decode()), ("X-Time", stamp)])


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_a_time_within_the_tolerance_passes(seconds: int) -> None:
    assert Genuine() == judged(TIMED, timed(str(int(STAMP) + seconds)), pem(rsa_key()))


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_time_out_of_the_tolerance_is_stale_on_both_sides(seconds: int) -> None:
    refused = judged(TIMED, timed(str(int(STAMP) + seconds)), pem(rsa_key()))
    assert isinstance(refused, Forged)
    assert (Cause.STALE_CLOCK, timedelta(seconds=seconds)) == (refused.cause, refused.skew)


@pytest.mark.parametrize("stamp", ["", "-5", "1e9", "２０２６", "today"])  # noqa: RUF001
def test_what_is_no_time_is_refused(stamp: str) -> None:
    assert isinstance(judged(TIMED, timed(stamp), pem(rsa_key())), Forged)


@pytest.mark.parametrize("name", ["X-Sign", "X-Time"])
def test_a_security_header_sent_twice_is_refused(name: str) -> None:
    sent = timed(STAMP)
    twice = replace(sent, headers=(*sent.headers, (name.lower(), sent.header(name) or "")))
    missing = replace(sent, headers=tuple(one for one in sent.headers if one[0] != name.lower()))
    for wrong in (twice, missing):
        assert isinstance(judged(TIMED, wrong, pem(rsa_key())), Forged)


NAMED = PublicKey("X-Sign", key_id="header:X-Key", fetched=URL)


def by_name(name: str) -> RawRequest:
    sign = signature("rsa-sha256", BODY)
    return request([("X-Sign", b64encode(sign).decode()), ("X-Key", name)])


def test_a_key_from_the_network_is_asked_for_and_then_chosen_by_its_name() -> None:
    document = jwks(jwk(rsa_key(1), kid="old"), jwk(rsa_key(), kid="new", use="sig"))
    assert Wanted(URL) == judged(NAMED, by_name("new"))
    assert Genuine() == judged(NAMED, by_name("new"), keys={URL: document})
    assert isinstance(judged(NAMED, by_name("old"), keys={URL: document}), Forged)


def test_an_unknown_key_name_asks_for_a_newer_document() -> None:
    asked = judged(NAMED, by_name("next"), keys={URL: jwks(jwk(rsa_key(), kid="new"))})
    assert isinstance(asked, Wanted)
    assert "'next'" in asked.lacking


@pytest.mark.parametrize(
    "document", [b"", b"<html>", b"{}", jwks(*[jwk(rsa_key())] * 51), jwks(jwk(rsa_key(), d="x"))]
)
def test_a_document_without_usable_keys_asks_for_a_newer_one(document: bytes) -> None:
    asked = judged(NAMED, by_name("new"), keys={URL: document})
    assert isinstance(asked, Wanted)
    assert asked.lacking


def test_a_key_name_too_long_is_refused_without_asking_anybody() -> None:
    assert isinstance(judged(NAMED, by_name("k" * 129)), Forged)


def test_keys_in_secrets_go_before_the_network() -> None:
    assert Genuine() == judged(NAMED, by_name("any"), pem(rsa_key()))


def test_a_certificate_in_secrets_is_known_by_its_serial_number() -> None:
    text = written(certificate(rsa_key(), "x.example"))
    assert Genuine() == judged(NAMED, by_name("1234ABCD"), text)
    refused = judged(NAMED, by_name("1234ABCE"), text)
    assert isinstance(refused, Forged)
    assert Cause.UNKNOWN_KEY == refused.cause


def test_a_key_that_may_change_under_its_address_is_asked_for_anew() -> None:
    scheme = PublicKey("X-Sign", fetched=URL, rotates=True)
    sent = request([("X-Sign", b64encode(signature("rsa-sha256", BODY)).decode())])
    assert Genuine() == judged(scheme, sent, keys={URL: pem(rsa_key())})
    assert isinstance(judged(scheme, sent, keys={URL: pem(rsa_key(1))}), Wanted)


def test_an_address_the_request_may_not_name_is_a_refusal() -> None:
    forged = Forged("no")
    scheme = PublicKey("X-Sign", fetched=lambda _request, _source: forged)
    sent = request([("X-Sign", b64encode(signature("rsa-sha256", BODY)).decode())])
    assert forged == judged(scheme, sent)


def ebay(**changes: str) -> RawRequest:
    said = {
        "alg": "ecdsa",
        "kid": "k-1",
        "signature": b64encode(signature("ecdsa-sha1", BODY)).decode(),
        "digest": "SHA1",
        **changes,
    }
    return request([("X-Ebay-Signature", b64encode(json.dumps(said).encode()).decode())])


def server_key(document: bytes) -> list[Key]:
    try:
        return list(material.read(json.loads(document)["key"].encode()))
    except (ValueError, LookupError):
        raise NoKey("There is no key in it.") from None


EBAY = PublicKey(
    "X-Ebay-Signature",
    "ecdsa-sha1",
    envelope=json64,
    key_id="pair:kid",
    fetched=URL,
    document=server_key,
    authorized=True,
)


def test_a_header_that_holds_more_is_opened_as_ebay_writes_it() -> None:
    keys = {URL: json.dumps({"key": pem(ec_key()).decode().replace("\n", "")}).encode()}
    token = {"token": source(b"t").secrets[0]}
    assert Wanted(URL, authorized=True) == judged(EBAY, ebay(), **token)
    assert Genuine() == judged(EBAY, ebay(), keys=keys, **token)
    for wrong in (ebay(signature="AAAA"), ebay(kid=""), request([("X-Ebay-Signature", "e30")])):
        assert isinstance(judged(EBAY, wrong, keys=keys, **token), Forged)
    for odd in ("", "@", "bm90IGpzb24", "W10"):
        assert isinstance(
            judged(EBAY, request([("X-Ebay-Signature", odd)]), keys=keys, **token), Forged
        )


def test_a_signature_may_stand_in_a_form_over_fields_put_in_order() -> None:
    def ordered(sent: RawRequest) -> tuple[bytes, bytes]:
        return b"with", b"without"

    scheme = PublicKey("sign", where="form", canonical=ordered)
    sign = b64encode(signature("rsa-sha256", b"without")).decode().replace("+", "%2B")
    assert Genuine() == judged(scheme, request(body=f"sign={sign}&a=1".encode()), pem(rsa_key()))
    for body in (b"a=1", b"sign=&a=1", b"sign=a&sign=b", b"\xff"):
        assert isinstance(judged(scheme, request(body=body), pem(rsa_key())), Forged)


def test_the_message_may_be_the_body_in_base64_as_adobe_commerce_signs_it() -> None:
    scheme = PublicKey("X-Sign", message="{body64}")
    sent = request([("X-Sign", b64encode(signature("rsa-sha256", b64encode(BODY))).decode())])
    assert Genuine() == judged(scheme, sent, pem(rsa_key()))


def test_a_signature_has_one_spelling() -> None:
    text = b64encode(signature("rsa-sha256", BODY)).decode()
    assert text.endswith("==")
    scheme = PublicKey("X-Sign")
    kin = chr(ord(text[-3]) + 1)
    other = text[:-3] + kin + "=="
    assert Genuine() == judged(scheme, request([("X-Sign", text)]), pem(rsa_key()))
    assert isinstance(judged(scheme, request([("X-Sign", other)]), pem(rsa_key())), Forged)


def test_lists_say_what_is_signed() -> None:
    assert "RSA-SHA256 of {time}.{body}" == TIMED.summary


def test_a_signature_may_stand_in_a_field_of_the_body_over_what_is_made_of_it() -> None:
    scheme = PublicKey("", where="body:meta.sign", canonical=lambda _sent: b"id=evt-1")
    text = b64encode(signature("rsa-sha256", b"id=evt-1")).decode()

    def sent(sign: Any) -> RawRequest:
        return request(body=json.dumps({"meta": {"sign": sign}}).encode())

    assert Genuine() == judged(scheme, sent(text), pem(rsa_key()))
    for wrong in (sent("AAAA"), sent(None), sent([text]), request(body=b"{}"), request(body=b"")):
        assert isinstance(judged(scheme, wrong, pem(rsa_key())), Forged)


@pytest.mark.parametrize("where", ["form", "body:sign"])
def test_a_signature_in_the_body_is_bounded_as_one_in_a_header_is(where: str) -> None:
    def refusal(size: int) -> str:
        text = "A" * size
        body = f"sign={text}" if where == "form" else json.dumps({"sign": text})
        answer = judged(PublicKey("sign", where=where), request(body=body.encode()), pem(rsa_key()))
        assert isinstance(answer, Forged)
        return answer.reason

    assert "No signature of 1 matches" in refusal(MAX_HEADER)
    assert f"The signature at sign is longer than {MAX_HEADER} bytes." == refusal(MAX_HEADER + 1)


def test_a_place_where_no_signature_stands_is_a_mistake_of_the_preset() -> None:
    with pytest.raises(ValueError, match="'cookie' is no place of a signature"):
        judged(PublicKey("sign", where="cookie"), request(), pem(rsa_key()))
