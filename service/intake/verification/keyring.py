"""Secrets as people paste them come in, keys to sign with go out."""

import base64
import binascii

from service.domain.errors import ConfigurationError
from service.settings import Source

WHSEC = b"whsec_"


def plain(source: Source, what: str) -> tuple[bytes, ...]:
    """Take the secrets as they stand; `what` names them to a person."""
    if not source.secrets:
        raise ConfigurationError(f"The source {source.name} has no secrets; put {what} there.")
    return tuple(secret.reveal() for secret in source.secrets)


def decoded(source: Source, what: str, *, prefix: bytes = b"") -> tuple[bytes, ...]:
    """Take the bytes behind base64, with or without the prefix and the padding."""
    return tuple(_decoded(secret, source, what, prefix) for secret in plain(source, what))


def _decoded(secret: bytes, source: Source, what: str, prefix: bytes) -> bytes:
    encoded = secret.strip().removeprefix(prefix).rstrip(b"=")
    try:
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key:
        raise ConfigurationError(
            f"A secret of the source {source.name} is not base64; put {what} there as it stands."
        )
    return key
