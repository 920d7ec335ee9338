"""Key pairs of tests: kinds come in; private keys, public texts and signed requests go out."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from service.intake.provider import RawRequest
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"id":"evt-1","order":"1001"}'


def rsa_key(number: int = 0) -> rsa.RSAPrivateKey:
    return _rsa_key(number)


@cache
def _rsa_key(number: int) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def ec_key(curve: str = "secp256r1") -> ec.EllipticCurvePrivateKey:
    return _ec_key(curve)


@cache
def _ec_key(curve: str) -> ec.EllipticCurvePrivateKey:
    curves: dict[str, ec.EllipticCurve] = {
        "secp256r1": ec.SECP256R1(),
        "secp256k1": ec.SECP256K1(),
        "secp384r1": ec.SECP384R1(),
    }
    return ec.generate_private_key(curves[curve])


@cache
def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


def pem(private: Any) -> bytes:
    return bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def der(private: Any) -> bytes:
    return bytes(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def number(value: int) -> str:
    return b64(value.to_bytes((value.bit_length() + 7) // 8))


def b64(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def jwk(private: rsa.RSAPrivateKey, **more: Any) -> dict[str, Any]:
    numbers = private.public_key().public_numbers()
    return {"kty": "RSA", "n": number(numbers.n), "e": number(numbers.e), **more}


def jwks(*members: dict[str, Any]) -> bytes:
    return json.dumps({"keys": members}).encode()


def certificate(
    private: rsa.RSAPrivateKey,
    name: str,
    *,
    issuer: tuple[str, rsa.RSAPrivateKey] | None = None,
    since: datetime = NOW - timedelta(days=30),
    until: datetime = NOW + timedelta(days=30),
    serial: int = 0x1234ABCD,
) -> x509.Certificate:
    signer_name, signer = issuer or (name, private)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(signer_name))
        .public_key(private.public_key())
        .serial_number(serial)
        .not_valid_before(since)
        .not_valid_after(until)
        .sign(signer, hashes.SHA256())
    )


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def written(*chain: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(Encoding.PEM) for each in chain)


def source(*secrets: bytes, **more: Any) -> Source:
    given = tuple(Secret.plain(each) for each in secrets)
    return Source(name="shop", provider="generic", secrets=given, **more)


def request(headers: Sequence[tuple[str, str]] = (), body: bytes = BODY, **more: Any) -> RawRequest:
    kept = tuple((name.lower(), value) for name, value in headers)
    usual: dict[str, Any] = {"method": "POST", "path": "/webhooks/shop", "query": ""}
    return RawRequest(headers=kept, body=body, received_at=NOW, **{**usual, **more})
