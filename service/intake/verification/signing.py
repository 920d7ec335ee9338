"""Signatures: raw requests and keys come in, judgements in constant time go out."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest

Algorithm = Literal["sha1", "sha256", "sha384", "sha512", "md5"]
Encoding = Literal["hex", "base64"]

MAX_HEADER = 8192
MAX_CANDIDATES = 20

_SECONDS_DIGITS = 11
_MILLISECONDS_DIGITS = 13
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_GENUINE = Genuine()


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about itself: the signed bytes, the signatures, the sender's clock."""

    message: bytes
    candidates: Sequence[bytes]
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Keyring:
    """The keys of one source, and what its keyed hashes look like."""

    secrets: Sequence[bytes] = field(repr=False)
    tolerance: timedelta
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"


_DECOY = Keyring((bytes(32),), timedelta(0))


def single(request: RawRequest, name: str) -> str | Forged:
    """Take a security header sent exactly once; a second copy is refused, whichever is right.

    `X_Sign` beside `X-Sign` is a copy too: many servers and proxies take one for the other.
    """
    wanted = name.lower()
    found: str | None = None
    copies = 0
    for key, value in request.headers:
        if key == wanted:
            found = value
            copies += 1
        elif "_" in key and key.replace("_", "-") == wanted:
            copies += 1
    if copies > 1:
        why = f"The header {name} was sent {copies} times; only once is safe."
        return Forged(why, cause=Cause.REPEATED)
    if found is None:
        return Forged(f"The header {name} is missing.", cause=Cause.MISSING)
    if len(found) > MAX_HEADER:
        return Forged(f"The header {name} is longer than {MAX_HEADER} bytes.")
    return found


def clock(text: str, *, now: datetime, milliseconds: bool = False) -> timedelta | None:
    """Read unix seconds (or milliseconds) as their clock minus ours; None unless ASCII digits."""
    if not (text.isascii() and text.isdigit()):
        return None
    if len(text) <= _SECONDS_DIGITS:
        return timedelta(seconds=int(text) - now.timestamp())
    if milliseconds and len(text) == _MILLISECONDS_DIGITS:
        return timedelta(seconds=int(text) / 1000 - now.timestamp())
    return None


def encode(digest: bytes, encoding: Encoding) -> str:
    return digest.hex() if encoding == "hex" else b64encode(digest).decode("ascii")


def plain(candidate: str, encoding: Encoding) -> bytes:
    """Spell a signature one way: lower-case hex, or standard base64 without padding."""
    if encoding == "hex":
        return raw(candidate.lower())
    # A table for `translate` would take ten times as long.
    return raw(candidate.replace("-", "+").replace("_", "/").rstrip("="))


def exact(candidate: str, encoding: Encoding) -> bytes:
    """Take a signature only if it is spelled as most senders do; nothing equals another one."""
    usual = (
        candidate == candidate.lower()
        if encoding == "hex"
        else len(candidate) % 4 == 0 and not {"-", "_"} & set(candidate)
    )
    return plain(candidate, encoding) if usual else b""


def spelled(digest: bytes, encoding: Encoding) -> bytes:
    """Write a digest as `plain` writes the signatures it is compared with."""
    return digest.hex().encode() if encoding == "hex" else b64encode(digest).rstrip(b"=")


def raw(value: str) -> bytes:
    """Turn header text into bytes; total, so that no undecodable byte can raise."""
    return value.encode("utf-8", "surrogatepass")


def judge(
    keyring: Keyring, claim: Claim | Forged, request: RawRequest, *, now: datetime
) -> Genuine | Forged:
    """Decide on a claim; a request without one costs as much as a wrong signature."""
    if isinstance(claim, Forged):
        decoy(request, now=now)
        return claim
    if not matches(keyring, claim):
        return mismatch(len(claim.candidates), len(keyring.secrets), claim.skew)
    if claim.skew is not None and abs(claim.skew) > keyring.tolerance:
        return stale(claim.skew, keyring.tolerance)
    return _GENUINE


def known(secrets: Iterable[bytes], candidate: bytes) -> bool:
    """Tell whether a bearer secret is ours; neither its place nor its length shows in time."""
    offered = hashlib.sha256(candidate).digest()
    return agrees((hashlib.sha256(secret).digest() for secret in secrets), (offered,))


def decoy(request: RawRequest, *, now: datetime) -> Forged:
    """Refuse a request to an unknown source, for the price of a wrong signature."""
    message = b"%d." % int(now.timestamp()) + request.body
    found = matches(_DECOY, Claim(message, (bytes(64),)))
    return Forged("" if found else "There is no source of this name.", cause=Cause.UNKNOWN_SOURCE)


def matches(keyring: Keyring, claim: Claim) -> bool:
    """Compare every signature with every key, right or not."""
    algorithm, encoding = keyring.algorithm, keyring.encoding
    expected = [
        spelled(hmac.digest(secret, claim.message, algorithm), encoding)
        for secret in keyring.secrets
    ]
    return agrees(expected, claim.candidates)


def agrees(expected: Iterable[bytes], candidates: Sequence[bytes]) -> bool:
    """Tell whether any is any, without stopping at the first."""
    found = False
    for each in expected:
        for candidate in candidates:
            found |= hmac.compare_digest(each, candidate)
    return found


def mismatch(signatures: int, secrets: int, skew: timedelta | None = None) -> Forged:
    """Say that no signature is right."""
    tried = "the configured secret" if secrets == 1 else f"any of the {secrets} configured secrets"
    drift = f" It was sent {_apart(skew)}." if skew is not None else ""
    why = (
        f"No signature of {signatures} matches {tried}: another secret signed it, "
        f"or the body was changed on the way.{drift}"
    )
    return Forged(why, skew, Cause.WRONG_SECRET)


def stale(skew: timedelta, tolerance: timedelta) -> Forged:
    """Say that a right signature is too old, or of a time to come."""
    why = (
        f"The signature is right but was made {_apart(skew)}; the tolerance is "
        f"{tolerance.total_seconds():.0f} s. It is a replay, or one of the two clocks is wrong."
    )
    return Forged(why, skew, Cause.STALE_CLOCK)


def _apart(skew: timedelta) -> str:
    seconds = skew.total_seconds()
    side = "after" if seconds > 0 else "before"
    return f"{abs(seconds):.0f} s {side} our clock"


def pieces(template: str) -> Sequence[str]:
    """Split a template: literal text at even places, names of placeholders at odd ones."""
    return _PLACEHOLDER.split(template)


def fill(template: Sequence[str], body: bytes, *, time: str, key: str = "") -> bytes:
    """Write the signed bytes from what was sent."""
    values = {"body": body, "timestamp": time.encode(), "id": key.encode()}
    return b"".join(
        values[piece] if place % 2 else piece.encode() for place, piece in enumerate(template)
    )
