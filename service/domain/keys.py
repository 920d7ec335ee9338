"""Identities: names of a sender or of ours come in, bounded and collision-free keys go out."""

from hashlib import sha256
from urllib.parse import quote

from service.domain.events import Subject

HASH_BYTES = 16
_HEADER_SAFE = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) != "%")


def dedupe_hash(source: str, key: str) -> bytes:
    """Shorten the identity of an event; the length keeps ("a", "bc") and ("ab", "c") apart."""
    name, rest = source.encode(), key.encode()
    return sha256(len(name).to_bytes(4, "big") + name + rest).digest()[:HASH_BYTES]


def body_key(body: bytes) -> str:
    """Name a request that carries no key of its own, or that cannot be read."""
    return sha256(body).hexdigest()


def clean_text(value: str, limit: int = 256) -> str | None:
    """Return the text as it is, or None when PostgreSQL or the limit (UTF-8 bytes) forbids it.

    Never shortened: two long names with one beginning must not become one.
    """
    try:
        fits = len(value if value.isascii() else value.encode()) <= limit
    except UnicodeEncodeError:
        return None
    return value if fits and "\0" not in value else None


def idempotency_key(destination: str, subject: Subject, version: int) -> str:
    """Name one effect on one destination; the same on every attempt.

    It travels as a header, so whatever is not printable ASCII, and "%", is percent-encoded.
    """
    return f"{destination}:{quote(str(subject), safe=_HEADER_SAFE)}:{version}"
