"""Tokens: one agreed algorithm, our keys, our clock; nothing the token says of itself counts."""

import hashlib
import json
from base64 import b64encode, urlsafe_b64encode
from dataclasses import replace
from typing import Any

import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification, Wanted
from service.intake.reading.mapping import Unreadable
from service.intake.verification.tokens import MAX_TOKEN, Token
from tests.unit.verification.keypairs import (
    BODY,
    NOW,
    STAMP,
    b64,
    ec_key,
    ed_key,
    jwk,
    jwks,
    pem,
    request,
    rsa_key,
    source,
)

URL = "https://shop.example.com/.well-known/jwks.json"
T = int(STAMP)
SECRET = b"0123456789abcdef0123456789abcdef"


def token(claims: dict[str, Any], key: Any = None, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode(claims, key or rsa_key(), algorithm, headers=header or None)


def bearer(text: str, body: bytes = BODY) -> RawRequest:
    return request([("Authorization", f"Bearer {text}")], body)


def judged(scheme: Token, sent: RawRequest, *secrets: bytes, **more: Any) -> Verification:
    keys = more.pop("keys", NO_KEYS)
    return scheme.guard(source(*secrets, **more)).verify(sent, now=NOW, keys=keys)


BEARER = Token()
PUBLIC = pem(rsa_key())


@pytest.mark.parametrize(
    ("algorithm", "private"),
    [
        ("RS256", rsa_key()), ("RS512", rsa_key()), ("PS256", rsa_key()), ("ES256", ec_key()),
        ("ES384", ec_key("secp384r1")), ("ES256K", ec_key("secp256k1")), ("EdDSA", ed_key()),
    ],
)  # fmt: skip
def test_every_algorithm_passes_its_own_signature_and_no_other(
    algorithm: Any, private: Any
) -> None:
    text = token({"exp": T + 60}, private, algorithm)
    head, middle, tail = text.split(".")
    scheme = Token(algorithm=algorithm)
    assert Genuine() == judged(scheme, bearer(text), pem(private))
    other = b64(json.dumps({"exp": T + 61}).encode())
    flipped = ("A" if tail[0] != "A" else "B") + tail[1:]
    for wrong in (f"{head}.{other}.{tail}", f"{head}.{middle}.{flipped}", f"{head}.{middle}."):
        assert isinstance(judged(scheme, bearer(wrong), pem(private)), Forged)


def test_a_shared_secret_passes_by_hmac_and_a_public_key_is_never_one() -> None:
    scheme = Token(algorithm="HS256")
    assert Genuine() == judged(scheme, bearer(token({}, SECRET, "HS256")), b"old", SECRET)
    assert isinstance(judged(scheme, bearer(token({}, b"x" * 32, "HS256")), SECRET), Forged)
    for public in (PUBLIC, jwks(jwk(rsa_key()))):
        with pytest.raises(ConfigurationError, match="public key"):
            scheme.guard(source(public))


def forged(header: dict[str, Any], claims: dict[str, Any], signature: bytes) -> str:
    return ".".join(
        (b64(json.dumps(header).encode()), b64(json.dumps(claims).encode()), b64(signature))
    )


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 7, "HS256", "RS512", "rs256"])
def test_the_token_does_not_choose_the_algorithm(alg: Any) -> None:
    head = {"alg": alg, "typ": "JWT"}
    sign = hashlib.sha256(PUBLIC).digest()
    assert isinstance(judged(BEARER, bearer(forged(head, {}, sign)), PUBLIC), Forged)


def test_a_public_key_used_as_an_hmac_secret_passes_nowhere() -> None:
    import hmac  # noqa: PLC0415  # only the attacker needs it

    head, claims = b64(b'{"alg":"HS256"}'), b64(b"{}")
    sign = hmac.digest(PUBLIC, f"{head}.{claims}".encode(), "sha256")
    assert isinstance(judged(BEARER, bearer(f"{head}.{claims}.{b64(sign)}"), PUBLIC), Forged)


@pytest.mark.parametrize(
    "header",
    [
        {"jwk": jwk(rsa_key(1))},
        {"jku": "https://evil.example/jwks"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["AAAA"]},
    ],
)
def test_a_key_the_token_brings_along_is_not_listened_to(header: dict[str, Any]) -> None:
    evil = token({}, rsa_key(1), **header)
    assert isinstance(judged(BEARER, bearer(evil), PUBLIC), Forged)


@pytest.mark.parametrize("kid", ["k" * 129, 7, ["a"], {"a": 1}, None])
def test_a_key_id_is_a_short_text(kid: Any) -> None:
    sent = bearer(forged({"alg": "RS256", "kid": kid}, {}, b"x"))
    assert isinstance(judged(Token(fetched=URL), sent), Forged)


@pytest.mark.parametrize("crit", [["exp"], ["b64"], [], "b64", ["b64", "b64"], None, 1])
def test_critical_parameters_that_are_not_known_are_refused(crit: Any) -> None:
    sent = token({}, crit=crit, x=1)
    assert isinstance(judged(BEARER, bearer(sent), PUBLIC), Forged) or crit is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "é.b.c",
        "bnVsbA.e30.AAAA",
        "W10.e30.AAAA",
        "{}.{}.{}",
        "\x00",
    ],
)
def test_what_is_no_token_is_refused(text: str) -> None:
    assert isinstance(judged(BEARER, bearer(text), PUBLIC), Forged)


@given(text=st.text(max_size=60))
@settings(max_examples=60, deadline=None)
def test_any_text_is_refused_without_an_error(text: str) -> None:
    body = text.encode("utf-8", "surrogatepass")
    assert isinstance(judged(BEARER, bearer(text), PUBLIC), Forged)
    assert isinstance(judged(Token(where="body"), request(body=body), PUBLIC), Forged)


def test_a_token_has_one_spelling() -> None:
    text = token({})
    last = text[-1]
    kin = next(
        char
        for char in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        if char != last and b64_bits(char) >> 4 == b64_bits(last) >> 4
    )
    assert isinstance(judged(BEARER, bearer(text[:-1] + kin), PUBLIC), Forged)


def b64_bits(char: str) -> int:
    return "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".index(char)


@pytest.mark.parametrize(
    ("claims", "right"),
    [
        ({}, True),
        ({"exp": T}, True),
        ({"exp": T - 300}, True),
        ({"exp": T - 301}, False),
        ({"nbf": T + 300}, True),
        ({"nbf": T + 301}, False),
        ({"iat": T + 301}, False),
        ({"iat": T - 10_000}, True),
        ({"exp": "soon"}, False),
        ({"exp": True}, False),
        ({"exp": 1e300}, False),
        ({"nbf": -1}, False),
    ],
)
def test_times_are_judged_by_our_clock(claims: dict[str, Any], *, right: bool) -> None:
    assert right == isinstance(judged(BEARER, bearer(token(claims)), PUBLIC), Genuine)


def test_a_claim_may_be_demanded_and_a_token_may_have_to_be_fresh() -> None:
    demanding = Token(require=("exp",))
    lacking = judged(demanding, bearer(token({})), PUBLIC)
    assert isinstance(lacking, Forged)
    assert Cause.MISSING == lacking.cause
    fresh = Token(fresh=True)
    assert Genuine() == judged(fresh, bearer(token({"iat": T - 299})), PUBLIC)
    for claims in ({}, {"iat": T - 301}, {"iat": T + 301}):
        assert isinstance(judged(fresh, bearer(token(claims)), PUBLIC), Forged)


def test_issuer_and_audience_are_compared_whole() -> None:
    scheme = Token(issuer="wix.com", audience="option:app_id")
    options = {"options": {"app_id": "app-1"}}
    for aud in ("app-1", ["other", "app-1"]):
        sent = bearer(token({"iss": "wix.com", "aud": aud}))
        assert Genuine() == judged(scheme, sent, PUBLIC, **options)
    for claims in (
        {"iss": "wix.com"},
        {"iss": "wix.com", "aud": "app-12"},
        {"iss": "wix.com", "aud": ["app"]},
        {"iss": "wix", "aud": "app-1"},
        {"iss": "www.wix.com", "aud": "app-1"},
        {"aud": "app-1"},
    ):
        assert isinstance(judged(scheme, bearer(token(claims)), PUBLIC, **options), Forged)
    with pytest.raises(ConfigurationError, match="app_id"):
        scheme.guard(source(PUBLIC))


@pytest.mark.parametrize("hashed", ["hex", "base64"])
def test_a_hash_in_the_token_binds_it_to_the_body(hashed: Any) -> None:
    digest = hashlib.sha256(BODY).digest()
    text = digest.hex() if hashed == "hex" else b64encode(digest).decode()
    scheme = Token(body_hash="sha", hashed=hashed)
    sent = bearer(token({"sha": text}))
    assert Genuine() == judged(scheme, sent, PUBLIC)
    assert isinstance(judged(scheme, replace(sent, body=BODY + b" "), PUBLIC), Forged)
    for claims in ({}, {"sha": 1}, {"sha": ""}, {"sha": "zz"}):
        assert isinstance(judged(scheme, bearer(token(claims)), PUBLIC), Forged)


NET = Token(fetched=URL)


def test_keys_of_a_key_set_are_chosen_by_the_key_id_alone() -> None:
    document = jwks(
        jwk(rsa_key(1), kid="old"),
        jwk(rsa_key(), kid="new", alg="RS256"),
        jwk(rsa_key(), kid="enc", use="enc"),
        jwk(rsa_key(), kid="ps", alg="PS256"),
        {"kty": "oct", "kid": "oct", "k": b64(SECRET)},
    )
    keys = {URL: document}
    assert Wanted(URL) == judged(NET, bearer(token({}, kid="new")))
    assert Genuine() == judged(NET, bearer(token({}, kid="new")), keys=keys)
    for kid in ("old", "ps"):
        assert isinstance(judged(NET, bearer(token({}, kid=kid)), keys=keys), Forged)
    for kid in ("enc", "oct", "../new", "new'--"):
        asked = judged(NET, bearer(token({}, kid=kid)), keys=keys)
        assert isinstance(asked, Wanted)
        assert asked.lacking


def test_the_header_of_a_shown_token_is_not_stored() -> None:
    guard = BEARER.guard(source(PUBLIC))
    assert () == tuple(guard.redact(bearer(token({}))).headers)
    detached = Token(where="detached:X-Sign").guard(source(PUBLIC))
    assert 1 == len(detached.redact(request([("X-Sign", "a..b")])).headers)


WIX = Token(where="body", unfold=("data", "data.data"))


def test_a_body_that_is_a_token_is_opened_to_what_it_claims() -> None:
    inner = {"eventType": "order_paid", "data": json.dumps({"id": "e-1"})}
    sent = request(body=token({"data": json.dumps(inner), "iat": T}).encode() + b"\n")
    assert Genuine() == judged(WIX, sent, PUBLIC)
    opened = json.loads(WIX.guard(source(PUBLIC)).open(sent).body)
    assert {"eventType": "order_paid", "data": {"id": "e-1"}} == opened["data"]


@pytest.mark.parametrize("data", ["not json", '{"data": "{"}', "[" * 100])
def test_claims_that_cannot_be_unfolded_are_unreadable(data: str) -> None:
    sent = request(body=token({"data": data}).encode())
    with pytest.raises(Unreadable):
        WIX.guard(source(PUBLIC)).open(sent)


def test_claims_that_are_no_text_stay_as_they_are() -> None:
    sent = request(body=token({"data": {"data": 1}}).encode())
    assert {"data": {"data": 1}} == json.loads(WIX.guard(source(PUBLIC)).open(sent).body)


def test_a_token_may_stand_in_a_field_as_shipmondo_sends_it() -> None:
    scheme = Token(where="body:data", algorithm="HS256")
    sent = request(body=json.dumps({"data": token({"id": 1}, SECRET, "HS256")}).encode())
    assert Genuine() == judged(scheme, sent, SECRET)
    assert {"id": 1} == json.loads(scheme.guard(source(SECRET)).open(sent).body)
    for body in (b"{}", b"x", b'{"data":1}'):
        assert isinstance(judged(scheme, request(body=body), SECRET), Forged)
        with pytest.raises(Unreadable):
            scheme.guard(source(SECRET)).open(request(body=body))


DETACHED = Token(where="detached:Saleor-Signature", fetched=URL)
SALEOR = jwks(jwk(rsa_key(), kid="1"))


def detached(body: bytes = BODY, **header: Any) -> str:
    return jwt.api_jws.encode(
        body, rsa_key(), "RS256", headers={"kid": "1", **header}, is_payload_detached=True
    )


def test_a_detached_signature_of_the_raw_body_passes_as_saleor_makes_it() -> None:
    sent = request([("Saleor-Signature", detached())])
    assert Genuine() == judged(DETACHED, sent, keys={URL: SALEOR})
    for body in (BODY + b" ", b""):
        assert isinstance(judged(DETACHED, replace(sent, body=body), keys={URL: SALEOR}), Forged)


def test_a_detached_signature_of_the_encoded_body_passes_too() -> None:
    head, _, tail = jwt.api_jws.encode(BODY, rsa_key(), "RS256", headers={"kid": "1"}).split(".")
    sent = request([("Saleor-Signature", f"{head}..{tail}")])
    assert Genuine() == judged(DETACHED, sent, keys={URL: SALEOR})
    assert isinstance(judged(DETACHED, replace(sent, body=b"{}"), keys={URL: SALEOR}), Forged)


def test_a_token_with_its_own_payload_is_no_detached_signature() -> None:
    whole = jwt.api_jws.encode(BODY, rsa_key(), "RS256", headers={"kid": "1"})
    sent = request([("Saleor-Signature", whole)])
    assert isinstance(judged(DETACHED, sent, keys={URL: SALEOR}), Forged)
    assert isinstance(judged(BEARER, bearer(detached()), PUBLIC), Forged)


def test_unencoded_without_being_critical_is_refused() -> None:
    head = urlsafe_b64encode(b'{"alg":"RS256","kid":"1","b64":false,"crit":["b64","x"]}').decode()
    sent = request([("Saleor-Signature", f"{head}..{detached().split('.')[2]}")])
    assert isinstance(judged(DETACHED, sent, keys={URL: SALEOR}), Forged)


@pytest.mark.parametrize(
    ("scheme", "words"),
    [
        (WIX, "the body is a JWT (RS256)"),
        (DETACHED, "detached JWS of the body (RS256)"),
        (Token(body_hash="sha"), "JWT with a hash of the body (RS256)"),
        (BEARER, "JWT (RS256)"),
    ],
)
def test_lists_say_how_it_proves_itself(scheme: Token, words: str) -> None:
    assert words == scheme.summary


def test_a_key_of_another_kind_is_refused_at_the_start() -> None:
    for algorithm, key in (
        ("ES256", PUBLIC),
        ("RS256", pem(ec_key())),
        ("ES256", pem(ec_key("secp256k1"))),
    ):
        with pytest.raises(ConfigurationError):
            Token(algorithm=algorithm).guard(source(key))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("headers", "cause"),
    [
        ([], Cause.MISSING),
        ([("Authorization", f"Basic {token({})}")], Cause.MISSING),
        ([("Authorization", token({}))], Cause.MISSING),
        ([("Authorization", f"Bearer{token({})}")], Cause.MISSING),
        ([("Authorization", f"Bearer {token({})}")] * 2, Cause.REPEATED),
    ],
    ids=["none", "basic", "bare", "no space", "twice"],
)
def test_a_request_without_one_bearer_token_is_refused(
    headers: list[tuple[str, str]], cause: Cause
) -> None:
    refused = judged(BEARER, request(headers), PUBLIC)
    assert isinstance(refused, Forged)
    assert cause is refused.cause


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        (b"", "not of the agreed form"),
        (b"order=1001", "The body is not JSON"),
        (b"[" * 100 + b"]" * 100, "nests deeper"),
        (b"null", "no JSON object"),
        (b'"text"', "no JSON object"),
        (b'[{"iss":"wix.com"}]', "no JSON object"),
    ],
)
@pytest.mark.parametrize("where", ["bearer", "body"])
def test_what_is_signed_but_claims_nothing_is_refused(payload: bytes, why: str, where: str) -> None:
    text = jwt.api_jws.encode(payload, rsa_key(), "RS256")
    sent = bearer(text) if where == "bearer" else request(body=text.encode())
    refused = judged(Token(where=where), sent, PUBLIC)
    assert isinstance(refused, Forged)
    assert why in refused.reason


def test_a_token_too_long_to_be_taken_apart_is_refused_by_its_length() -> None:
    longest = request(body=b"x" * MAX_TOKEN)
    longer = request(body=b"x" * (MAX_TOKEN + 1))
    for sent, why in ((longest, "three parts"), (longer, f"longer than {MAX_TOKEN} bytes")):
        refused = judged(WIX, sent, PUBLIC)
        assert isinstance(refused, Forged)
        assert why in refused.reason


def test_a_place_where_no_token_stands_is_a_mistake_of_the_preset() -> None:
    with pytest.raises(ValueError, match="'cookie:session' is no place of a token"):
        judged(Token(where="cookie:session"), bearer(token({})), PUBLIC)
