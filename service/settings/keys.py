"""Key material as people keep it: the bytes behind a reference in, the key itself or None out."""

import base64
import binascii
import re

import jwt

SIZE = 32
FEWEST = 8
"""Fewer different bytes are a pattern, not a random draw."""
MAKE = {
    "ES": "Make one with: openssl ecparam -name prime256v1 -genkey -noout",
    "RS": "Make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072",
    "PS": "Make one with: openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:3072",
    "Ed": "Make one with: openssl genpkey -algorithm ed25519",
}
"""How a private key comes to be, by the beginning of the algorithm's name."""


def encryption_key(value: bytes) -> bytes | None:
    """32 random bytes, written in hex, in base64 of either alphabet, or as they are."""
    key = _bytes(value)
    return key if len(key) == SIZE and len(set(key)) >= FEWEST else None


def _bytes(value: bytes) -> bytes:
    if re.fullmatch(rb"[0-9A-Fa-f]{64}", value):
        return bytes.fromhex(value.decode())
    if re.fullmatch(rb"[A-Za-z0-9+/_-]{43}=?", value):
        return base64.urlsafe_b64decode(value[:43].translate(_URL_SAFE) + b"=")
    # Bytes that can all be typed are a pass phrase or half a key in hex, never a random draw.
    return b"" if re.fullmatch(rb"[ -~]*", value) else value


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def is_signing_secret(value: bytes) -> bool:
    """Whether this is a secret as Standard Webhooks defines it."""
    prefix, encoded = value[:6], value[6:]
    try:
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return False
    return prefix == b"whsec_" and 24 <= len(key) <= 64


def signs(key: bytes, algorithm: str) -> bool:
    """Whether a JWT can be signed with this key, and the key is as strong as it should be."""
    law = jwt.get_algorithm_by_name(algorithm)
    try:
        prepared = law.prepare_key(key)
        law.sign(b"", prepared)
    # A public key is read as gladly as a private one, and then has no way to sign.
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError):
        return False
    return law.check_key_length(prepared) is None
