"""Public keys as people paste them: what is no key, or nobody's to use, is named as that."""

from base64 import b64encode
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, x25519
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from service.intake.verification import material
from service.intake.verification.material import MAX_DOCUMENT, MAX_KEYS, Key, NoKey
from tests.unit.verification.keypairs import (
    b64,
    certificate,
    der,
    ec_key,
    ed_key,
    jwk,
    jwks,
    named,
    number,
    pem,
    rsa_key,
    written,
)

ED448 = ed448.Ed448PrivateKey.generate()
X25519 = x25519.X25519PrivateKey.generate()
BEGUN = b"-----BEGIN PUBLIC KEY-----\n"


def sized(bits: int) -> dict[str, Any]:
    """Write a key whose modulus has so many bits; nobody holds its private half."""
    return {"kty": "RSA", "n": number((1 << (bits - 1)) | 1), "e": "AQAB"}


def sized_pem(bits: int) -> bytes:
    public = RSAPublicNumbers(65537, (1 << (bits - 1)) | 1).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def unusable() -> bytes:
    """Write a certificate of a kind of key nobody signs with here."""
    return written(certificate(cast("Any", ED448), "x.example", issuer=("CA", rsa_key(1))))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"A" * (MAX_DOCUMENT + 1), f"The key is longer than {MAX_DOCUMENT} bytes."),
        (BEGUN, f"There are 0 PEM blocks; there must be 1 to {MAX_KEYS}."),
        (
            pem(ec_key()) * (MAX_KEYS + 1),
            f"There are 51 PEM blocks; there must be 1 to {MAX_KEYS}.",
        ),
        (b64encode(BEGUN), f"There are 0 PEM blocks; there must be 1 to {MAX_KEYS}."),
        (BEGUN + b"AAAA\n-----END PUBLIC KEY-----", "The PEM block is not a public key."),
        (pem(X25519), "The PEM block is not a public key."),
        (sized_pem(1023), "The PEM block is not a public key."),
        (b64encode(der(ED448)), "This is neither a public key nor a certificate."),
        (b64encode(b"no key"), "This is neither a public key nor a certificate."),
        (b"?", "This is neither PEM, nor base64, nor a key set."),
        (b'{"keys":[', "The key set is not JSON."),
        (b"{'kty': 'RSA'}", "The key set is not JSON."),
        (b'{"keys":7}', f"The key set is no list of at most {MAX_KEYS} keys."),
        (b'{"keys":[]}', "The key set holds no usable public key."),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_key_is_refused_with_the_reason(text: bytes, why: str) -> None:
    with pytest.raises(NoKey) as raised:
        material.read(text)
    assert why == str(raised.value)


@pytest.mark.parametrize(
    "member",
    [
        "a text",
        jwk(rsa_key(), d="x"),
        jwk(rsa_key(), use="enc"),
        jwk(rsa_key(), kid=7),
        jwk(rsa_key(), kid="k" * (material.MAX_ID + 1)),
        jwk(rsa_key(), alg=["RS256"]),
        {"kty": "oct", "k": b64(b"secret")},
        {"kty": "RSA"},
        {"kty": "OKP", "crv": "Ed448", "x": b64(ED448.public_key().public_bytes_raw())},
        {"kty": "OKP", "crv": "X25519", "x": b64(X25519.public_key().public_bytes_raw())},
        sized(1023),
        sized(8193),
    ],
    ids=[
        "no object", "private", "for encryption", "odd name", "long name", "odd algorithm",
        "a secret", "no numbers", "ed448", "x25519", "too small", "too large",
    ],
)  # fmt: skip
def test_a_member_nobody_may_verify_with_is_passed_over_and_the_next_is_taken(member: Any) -> None:
    (found,) = material.read(jwks(member, jwk(rsa_key(), kid="good")))
    assert Key(rsa_key().public_key(), "good") == found


@pytest.mark.parametrize("bits", [1024, 8192])
def test_the_smallest_and_the_largest_rsa_key_are_taken(bits: int) -> None:
    assert 1 == len(material.read(jwks(sized(bits))))
    assert 1 == len(material.read(sized_pem(bits)))


@pytest.mark.parametrize("bits", [1023, 8193])
def test_an_rsa_key_out_of_bounds_is_refused_by_its_size(bits: int) -> None:
    public = RSAPublicNumbers(65537, (1 << (bits - 1)) | 1).public_key()
    with pytest.raises(NoKey, match=f"RSA key of {bits} bits is out of bounds"):
        material.usable(public)


@pytest.mark.parametrize("public", [ED448.public_key(), X25519.public_key(), None, b"key"])
def test_a_key_of_a_kind_nobody_signs_with_is_refused(public: object) -> None:
    with pytest.raises(NoKey, match="kind are not used"):
        material.usable(public)


def test_a_certificate_of_an_unusable_key_gives_no_key() -> None:
    (found,) = material.certificates(unusable())
    with pytest.raises(NoKey, match="certificate holds no usable public key"):
        material.of_certificate(found)


@pytest.mark.parametrize(
    ("document", "why"),
    [
        (b"\n" * (MAX_DOCUMENT + 1), "The certificate is longer"),
        (b"<html>", "not a certificate in PEM"),
        (pem(rsa_key()), "not a certificate in PEM"),
        (
            written(certificate(cast("Any", ed_key()), "x", issuer=("x", rsa_key()))) * 51,
            "There are 51 certificates",
        ),
    ],
    ids=["too long", "html", "a bare key", "too many"],
)
def test_what_is_no_certificate_is_refused_with_the_reason(document: bytes, why: str) -> None:
    with pytest.raises(NoKey, match=why):
        material.certificates(document)


def test_the_senders_own_certificate_comes_first() -> None:
    ca, leaf = certificate(rsa_key(1), "CA"), certificate(rsa_key(), "x", issuer=("CA", rsa_key(1)))
    assert named("x") == material.certificates(written(leaf, ca))[0].subject
