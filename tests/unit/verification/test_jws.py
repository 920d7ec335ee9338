"""One compact signature: the agreed algorithm with a key made for it, or it proves nothing."""

import hmac
from typing import Any

import jwt
import pytest

from service.intake.provider import Forged
from service.intake.verification.jws import Algorithm, Jws, suits
from tests.unit.verification.keypairs import b64, ec_key, ed_key, pem, rsa_key

SECRET = b"0123456789abcdef0123456789abcdef"
SSH = b"ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ== shop@example.com"


def taken(token: str) -> Jws:
    found = Jws.of(token)
    assert not isinstance(found, Forged)
    return found


def by_hmac(secret: bytes) -> Jws:
    signed = b64(b'{"alg":"HS256"}') + "." + b64(b"{}")
    return taken(f"{signed}.{b64(hmac.digest(secret, signed.encode(), 'sha256'))}")


@pytest.mark.parametrize("public", [pem(rsa_key()), SSH], ids=["pem", "ssh"])
def test_who_signs_with_a_key_anybody_may_know_is_not_believed(public: bytes) -> None:
    assert by_hmac(SECRET).is_signed(SECRET, "HS256")
    assert not by_hmac(public).is_signed(public, "HS256")


@pytest.mark.parametrize(
    ("key", "algorithm"),
    [
        (ec_key(), "RS256"), (rsa_key(), "ES256"), (ed_key(), "PS256"), (rsa_key(), "EdDSA"),
        (rsa_key(), "HS256"), (ec_key("secp384r1"), "ES256"),
    ],
)  # fmt: skip
def test_a_key_of_another_kind_verifies_nothing(key: Any, algorithm: Algorithm) -> None:
    token = taken(jwt.encode({}, rsa_key(), "RS256"))
    assert token.is_signed(rsa_key().public_key(), "RS256")
    assert not token.is_signed(key.public_key(), algorithm)
    assert not suits(key.public_key(), algorithm)
