"""Tokens that are taken, and every kind that is not."""

import base64
import hmac
import json
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.web.auth import Bouncer, Caller, Role
from service.web.problems import Refused
from tests import internals

NOW = datetime.now(UTC)


def _admit(*headers: str, least: Role = Role.VIEWER) -> Caller:
    return Bouncer(internals.AUTH).admit(headers, least)


def _status(*headers: str, least: Role = Role.VIEWER) -> int:
    with pytest.raises(Refused) as refused:
        _admit(*headers, least=least)
    return refused.value.status


def _part(said: Any) -> str:
    raw = said if isinstance(said, bytes) else json.dumps(said, default=str).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _forge(head: Any, claims: Any, *, key: bytes = internals.KEY.encode()) -> str:
    """Sign whatever it is with HMAC-SHA256, as no library would."""
    text = f"{_part(head)}.{_part(claims)}"
    return f"{text}.{_part(hmac.new(key, text.encode(), sha256).digest())}"


def _numeric(**said: Any) -> dict[str, Any]:
    return {
        name: int(value.timestamp()) if isinstance(value, datetime) else value
        for name, value in internals.claims(**said).items()
    }


HEAD = {"alg": "HS256", "typ": "JWT"}
OWN_KEY = {"kty": "oct", "k": _part(b"x" * 64)}


@pytest.mark.parametrize(
    ("role", "expected"),
    [("viewer", Role.VIEWER), ("operator", Role.OPERATOR), ("admin", Role.ADMIN)],
)
def test_a_sound_token_names_the_caller_and_the_role(role: str, expected: Role) -> None:
    assert Caller("anna", expected) == _admit(f"Bearer {internals.token(role=role)}")


def test_the_scheme_may_be_spelled_in_any_case() -> None:
    assert Role.VIEWER == _admit(f"bEARER {internals.token()}").role


def test_clocks_may_differ_by_a_little() -> None:
    now, seconds = datetime.now(UTC), timedelta(seconds=5)
    assert "anna" == _admit(f"Bearer {internals.token(exp=now - seconds)}").subject
    assert "anna" == _admit(f"Bearer {internals.token(iat=now + seconds)}").subject


def test_a_role_that_does_not_reach_is_403_with_the_remedy() -> None:
    token = f"Bearer {internals.token(role='operator')}"
    assert Role.OPERATOR == _admit(token, least=Role.OPERATOR).role
    assert 403 == _status(token, least=Role.ADMIN)


CLAIMS = {
    "expired": {"exp": NOW - timedelta(minutes=1)},
    "made in the future": {"iat": NOW + timedelta(hours=1)},
    "not valid yet": {"nbf": NOW + timedelta(hours=1)},
    "another issuer": {"iss": "orderhook2"},
    "part of the issuer": {"iss": "order"},
    "another audience": {"aud": "crm"},
    "a list of audiences": {"aud": ["orderhook"]},
    "no issuer": {"iss": None},
    "no audience": {"aud": None},
    "no subject": {"sub": None},
    "empty subject": {"sub": ""},
    "no role": {"role": None},
    "unknown role": {"role": "root"},
    "role in capitals": {"role": "Admin"},
    "list of roles": {"role": ["admin"]},
    "numeric role": {"role": 3},
    "no end": {"exp": None},
    "no beginning": {"iat": None},
}


@pytest.mark.parametrize("said", CLAIMS.values(), ids=CLAIMS)
def test_claims_must_be_all_there_and_exact(said: dict[str, Any]) -> None:
    assert 401 == _status(f"Bearer {internals.token(**said)}")


def _public_key() -> bytes:
    public = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


ADMIN = _numeric(role="admin", exp=NOW + timedelta(hours=1))
GOOD = _forge(HEAD, ADMIN)
GOOD_HEAD, GOOD_CLAIMS, GOOD_SIGNATURE = GOOD.split(".")

NO_TOKEN = {
    "no header": [],
    "two headers": [f"Bearer {GOOD}", f"Bearer {GOOD}"],
    "no scheme": [GOOD],
    "another scheme": [f"Basic {GOOD}"],
    "nothing behind the scheme": ["Bearer "],
    "two spaces": [f"Bearer  {GOOD}"],
}

FORGED = {
    "two tokens": f"{GOOD}, {GOOD}",
    "alg none": f"{_part({'alg': 'none'})}.{_part(ADMIN)}.",
    "alg nOnE": f"{_part({'alg': 'nOnE'})}.{_part(ADMIN)}.",
    "no signature": f"{GOOD_HEAD}.{GOOD_CLAIMS}.",
    "two parts": f"{GOOD_HEAD}.{GOOD_CLAIMS}",
    "other claims": f"{GOOD_HEAD}.{_part({**ADMIN, 'sub': 'eve'})}.{GOOD_SIGNATURE}",
    "another key": _forge(HEAD, ADMIN, key=b"x" * 64),
    "empty key": _forge(HEAD, ADMIN, key=b""),
    "public key as HMAC key": _forge(HEAD, ADMIN, key=_public_key()),
    "key of its own": _forge({**HEAD, "jwk": OWN_KEY}, ADMIN, key=b"x" * 64),
    "another algorithm": jwt.encode(ADMIN, internals.KEY, algorithm="HS512"),
    "critical extension": _forge({**HEAD, "crit": ["exp"]}, ADMIN),
    "unencoded payload": _forge({**HEAD, "b64": False, "crit": ["b64"]}, ADMIN),
    "not JSON": _forge(HEAD, b"{"),
    "a list of issuers": _forge(HEAD, {**ADMIN, "iss": ["orderhook"]}),
    "a list of claims": _forge(HEAD, [1]),
    "deep nesting": _forge(HEAD, b"[" * 2500),
    "numeric subject": _forge(HEAD, {**ADMIN, "sub": 7}),
    "endless end": _forge(HEAD, {**ADMIN, "exp": "Infinity"}),
    "end as text": _forge(HEAD, {**ADMIN, "exp": "tomorrow"}),
    "a megabyte": "a" * 2**20,
    "not ASCII": f"{GOOD}ä",
}


def test_the_token_the_attacks_start_from_is_good() -> None:
    assert Caller("anna", Role.ADMIN) == _admit(f"Bearer {GOOD}")


@pytest.mark.parametrize("headers", NO_TOKEN.values(), ids=NO_TOKEN)
def test_exactly_one_bearer_token_is_wanted(headers: list[str]) -> None:
    assert 401 == _status(*headers)


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED)
def test_a_forged_token_is_401_and_quickly(token: str) -> None:
    began = time.monotonic()
    assert 401 == _status(f"Bearer {token}")
    assert time.monotonic() - began < 0.5


def test_what_a_token_says_about_its_key_is_not_looked_at() -> None:
    head = {**HEAD, "kid": "../../x" * 40, "jku": "http://169.254.169.254/", "x5u": "file:///etc"}
    assert Role.VIEWER == _admit(f"Bearer {_forge(head, _numeric())}").role


def test_a_refusal_challenges_and_never_repeats_the_token() -> None:
    token = internals.token(exp=NOW - timedelta(minutes=1))
    with pytest.raises(Refused) as refused:
        _admit(f"Bearer {token}")
    assert 'error="invalid_token"' in refused.value.headers["WWW-Authenticate"]
    assert refused.value.detail.startswith("The token has expired.")
    assert token not in refused.value.detail
