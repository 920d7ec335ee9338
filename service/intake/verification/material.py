"""Public keys as people paste them and key servers send them: bytes in, usable keys out."""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import orjson
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    load_der_public_key,
    load_pem_public_key,
)
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.exceptions import PyJWTError

Public = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

MAX_DOCUMENT = 64 * 1024
MAX_KEYS = 50
MAX_ID = 128
RSA_BITS = range(1024, 8193)
"""Some senders still sign with 1024 bits; more than 8192 only costs time."""

_PEM = re.compile(rb"-----BEGIN ([A-Z ]+)-----(.*?)-----END \1-----", re.DOTALL)
_DEFECTS = (ValueError, TypeError, KeyError, UnsupportedAlgorithm, PyJWTError)
_RAW_ED25519 = 32


class NoKey(ValueError):
    """There is no usable public key in it; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Key:
    """One public key and the name its owner gave it."""

    public: Public
    id: str = ""
    """A `kid`, or the serial number of a certificate in upper-case hex; empty: it has no name."""
    algorithm: str = ""
    """What a key set allows it for; empty: whatever suits it."""


def read(document: bytes) -> Sequence[Key]:
    """Take the keys of PEM, base64 over PEM or DER, 32 bytes of Ed25519, a JWK or a key set."""
    if len(document) > MAX_DOCUMENT:
        raise NoKey(f"The key is longer than {MAX_DOCUMENT} bytes.")
    text = document.strip()
    if text.startswith(b"{"):
        return _key_set(text)
    if b"-----BEGIN" in text:
        return _pem(text)
    inner = _decoded(text)
    if b"-----BEGIN" in inner:
        return _pem(inner)
    return [_der(inner)]


def _pem(text: bytes) -> Sequence[Key]:
    """Read PEM blocks; some senders leave out the line breaks, so they are written anew."""
    blocks = [(kind, b"".join(found.split())) for kind, found in _PEM.findall(text)]
    if not 1 <= len(blocks) <= MAX_KEYS:
        raise NoKey(f"There are {len(blocks)} PEM blocks; there must be 1 to {MAX_KEYS}.")
    return [_block(kind, body) for kind, body in blocks]


def _block(kind: bytes, body: bytes) -> Key:
    if b"PRIVATE" in kind:
        raise NoKey("This is a private key; put the public one there.")
    if kind == b"CERTIFICATE":
        return _der(_base64(body))
    try:
        return Key(usable(load_pem_public_key(_rewritten(kind, body))))
    except _DEFECTS:
        raise NoKey("The PEM block is not a public key.") from None


def _rewritten(kind: bytes, body: bytes) -> bytes:
    lines = b"\n".join(body[start : start + 64] for start in range(0, len(body), 64))
    return b"-----BEGIN %b-----\n%b\n-----END %b-----\n" % (kind, lines, kind)


def certificates(document: bytes) -> Sequence[x509.Certificate]:
    """Take the certificates of a PEM document, the sender's own first."""
    if len(document) > MAX_DOCUMENT:
        raise NoKey(f"The certificate is longer than {MAX_DOCUMENT} bytes.")
    try:
        found = x509.load_pem_x509_certificates(document)
    except ValueError:
        raise NoKey("This is not a certificate in PEM.") from None
    if len(found) > MAX_KEYS:
        raise NoKey(f"There are {len(found)} certificates; the limit is {MAX_KEYS}.")
    return found


def of_certificate(certificate: x509.Certificate) -> Key:
    try:
        return Key(usable(certificate.public_key()), f"{certificate.serial_number:X}")
    except _DEFECTS:
        raise NoKey("The certificate holds no usable public key.") from None


def _der(data: bytes) -> Key:
    if len(data) == _RAW_ED25519:
        return Key(Ed25519PublicKey.from_public_bytes(data))
    try:
        return of_certificate(x509.load_der_x509_certificate(data))
    except ValueError:
        pass
    try:
        return Key(usable(load_der_public_key(data)))
    except _DEFECTS:
        raise NoKey("This is neither a public key nor a certificate.") from None


def usable(public: object) -> Public:
    """Refuse kinds nobody signs with here, and sizes out of bounds."""
    match public:
        case RSAPublicKey() if public.key_size not in RSA_BITS:
            raise NoKey(f"An RSA key of {public.key_size} bits is out of bounds.")
        case RSAPublicKey() | EllipticCurvePublicKey() | Ed25519PublicKey():
            return public
        case _:
            raise NoKey("Keys of this kind are not used here.")


def _decoded(text: bytes) -> bytes:
    if re.fullmatch(rb"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text.decode())
    return _base64(b"".join(text.split()).translate(bytes.maketrans(b"-_", b"+/")))


def _base64(text: bytes) -> bytes:
    try:
        return b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except NotBase64:
        raise NoKey("This is neither PEM, nor base64, nor a key set.") from None


def _key_set(text: bytes) -> Sequence[Key]:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise NoKey("The key set is not JSON.") from None
    listed = document.get("keys", [document])
    if not isinstance(listed, list) or len(listed) > MAX_KEYS:
        raise NoKey(f"The key set is no list of at most {MAX_KEYS} keys.")
    found = list(_members(listed))
    if not found:
        raise NoKey("The key set holds no usable public key.")
    return found


def _members(listed: Sequence[object]) -> Iterator[Key]:
    """Pass over what nobody may verify with: secrets, private keys, keys for encryption."""
    for member in listed:
        if not isinstance(member, dict) or "d" in member or member.get("use") == "enc":
            continue
        name, algorithm = member.get("kid", ""), member.get("alg", "")
        if not isinstance(name, str) or len(name) > MAX_ID or not isinstance(algorithm, str):
            continue
        try:
            yield Key(usable(_KINDS[str(member.get("kty"))].from_jwk(member)), name, algorithm)
        except _DEFECTS:
            continue


_KINDS: dict[str, type[RSAAlgorithm | ECAlgorithm | OKPAlgorithm]] = {
    "RSA": RSAAlgorithm,
    "EC": ECAlgorithm,
    "OKP": OKPAlgorithm,
}


def chosen(keys: Sequence[Key], name: str | None) -> Sequence[Key]:
    """Take the keys of this name; without one all of them, and keys without names fit any."""
    if name is None:
        return keys
    return [key for key in keys if key.id == name] or [key for key in keys if not key.id]
