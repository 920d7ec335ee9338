"""Secrets as people paste them come in, keys to sign with go out."""

import base64
import binascii
from collections.abc import Callable
from typing import Literal, assert_never

import orjson

from service.domain.errors import ConfigurationError
from service.settings import Source

WHSEC = b"whsec_"
Spelling = Literal["text", "base64", "hex", "whsec"]
"""How a secret stands for the key: itself, or encoded; whsec: base64 behind `whsec_`."""


def keys(source: Source, what: str, spelling: Spelling) -> tuple[bytes, ...]:
    """Take the keys of a source, the newest first; `what` names its secrets to a person."""
    match spelling:
        case "text":
            return shared(source, what)
        case "base64":
            return decoded(source, what)
        case "whsec":
            return decoded(source, what, prefix=WHSEC)
        case "hex":
            return _each(source, what, binascii.unhexlify, "hexadecimal")
        case other:
            assert_never(other)


def shared(source: Source, what: str) -> tuple[bytes, ...]:
    """Take keys for hashes as they stand; a public key is none, for everybody knows it."""
    secrets = plain(source, what)
    for secret in secrets:
        if b"-----BEGIN" in secret or _is_key_set(secret):
            raise ConfigurationError(
                f"A secret of the source {source.name} is a public key or a key set, which anybody "
                f"may know; put {what} there."
            )
    return secrets


def _is_key_set(secret: bytes) -> bool:
    try:
        found = orjson.loads(secret)
    except orjson.JSONDecodeError:
        return False
    return isinstance(found, dict) and bool(found.keys() & {"keys", "kty"})


def plain(source: Source, what: str) -> tuple[bytes, ...]:
    """Take the secrets as they stand; `what` names them to a person."""
    if not source.secrets:
        raise ConfigurationError(f"The source {source.name} has no secrets; put {what} there.")
    return tuple(secret.reveal() for secret in source.secrets)


def decoded(source: Source, what: str, *, prefix: bytes = b"") -> tuple[bytes, ...]:
    """Take the bytes behind base64, with or without the prefix and the padding."""

    def decode(secret: bytes) -> bytes:
        encoded = secret.removeprefix(prefix).rstrip(b"=")
        return base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)

    return _each(source, what, decode, "base64")


def _each(
    source: Source, what: str, decode: Callable[[bytes], bytes], spelling: str
) -> tuple[bytes, ...]:
    return tuple(
        _decoded(secret, decode) or _refuse(source, what, spelling)
        for secret in plain(source, what)
    )


def _decoded(secret: bytes, decode: Callable[[bytes], bytes]) -> bytes:
    try:
        return decode(secret.strip())
    except (binascii.Error, ValueError):
        return b""


def _refuse(source: Source, what: str, spelling: str) -> bytes:
    raise ConfigurationError(
        f"A secret of the source {source.name} is not {spelling}; put {what} there as it stands."
    )
