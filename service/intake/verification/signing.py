"""Signatures: raw requests and secrets come in, judgements in constant time go out."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from service.intake.provider import Forged, Genuine, RawRequest
from service.settings import HmacRule

Algorithm = Literal["sha1", "sha256", "sha512"]
Encoding = Literal["hex", "base64"]

MAX_HEADER = 8192
MAX_CANDIDATES = 20

_SECONDS_DIGITS = 11
_MILLISECONDS_DIGITS = 13
_URL_SAFE = str.maketrans("-_", "+/")
_PLACEHOLDER = re.compile(r"\{(\w*)\}")
_DECOY = bytes(32)


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about itself: the signed bytes, the signatures, the sender's clock."""

    message: bytes
    candidates: Sequence[bytes]
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one sender signs, as far as judging it goes."""

    secrets: Sequence[bytes] = field(repr=False)
    tolerance: timedelta
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"


def single(request: RawRequest, name: str) -> str | Forged:
    """Take a security header sent exactly once; a second copy is refused, whichever is right."""
    values = [value for key, value in request.headers if key == name.lower()]
    match values:
        case []:
            return Forged(f"The header {name} is missing.")
        case [value] if len(value) > MAX_HEADER:
            return Forged(f"The header {name} is longer than {MAX_HEADER} bytes.")
        case [value]:
            return value
        case _:
            return Forged(f"The header {name} was sent {len(values)} times; only once is safe.")


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
    same = candidate.lower() if encoding == "hex" else candidate.translate(_URL_SAFE).rstrip("=")
    return raw(same)


def raw(value: str) -> bytes:
    """Turn header text into bytes; total, so that no undecodable byte can raise."""
    return value.encode("utf-8", "surrogatepass")


def judge(
    scheme: Scheme, claim: Claim | Forged, request: RawRequest, *, now: datetime
) -> Genuine | Forged:
    """Decide on a claim; a request without one costs as much as a wrong signature."""
    if isinstance(claim, Forged):
        decoy(request, now=now)
        return claim
    if not _matches(scheme, claim):
        return Forged(_mismatch(scheme, claim), claim.skew)
    if claim.skew is not None and abs(claim.skew) > scheme.tolerance:
        return Forged(_stale(claim.skew, scheme.tolerance), claim.skew)
    return Genuine()


def known(secrets: Iterable[bytes], candidate: bytes) -> bool:
    """Tell whether a bearer secret is ours; neither its place nor its length shows in time."""
    offered = hashlib.sha256(candidate).digest()
    found = False
    for secret in secrets:
        found |= hmac.compare_digest(hashlib.sha256(secret).digest(), offered)
    return found


def decoy(request: RawRequest, *, now: datetime) -> Forged:
    """Refuse a request to an unknown source, for the price of a wrong signature."""
    message = b"%d." % int(now.timestamp()) + request.body
    scheme = Scheme((_DECOY,), timedelta(0))
    claim = Claim(message, (bytes(64),))
    return Forged("" if _matches(scheme, claim) else "There is no source of this name.")


def _matches(scheme: Scheme, claim: Claim) -> bool:
    found = False
    for secret in scheme.secrets:
        digest = hmac.digest(secret, claim.message, scheme.algorithm)
        expected = plain(encode(digest, scheme.encoding), scheme.encoding)
        for candidate in claim.candidates:
            found |= hmac.compare_digest(expected, candidate)
    return found


def _mismatch(scheme: Scheme, claim: Claim) -> str:
    tried = len(scheme.secrets)
    secrets = "the configured secret" if tried == 1 else f"any of the {tried} configured secrets"
    drift = f" It was sent {_apart(claim.skew)}." if claim.skew is not None else ""
    return (
        f"No signature of {len(claim.candidates)} matches {secrets}: another secret signed it, "
        f"or the body was changed on the way.{drift}"
    )


def _stale(skew: timedelta, tolerance: timedelta) -> str:
    limit = f"{tolerance.total_seconds():.0f} s"
    return (
        f"The signature is right but was made {_apart(skew)}; the tolerance is {limit}. "
        "It is a replay, or one of the two clocks is wrong."
    )


def _apart(skew: timedelta) -> str:
    seconds = skew.total_seconds()
    side = "after" if seconds > 0 else "before"
    return f"{abs(seconds):.0f} s {side} our clock"


@dataclass(frozen=True, slots=True)
class Keyed:
    """A configured keyed hash over the body, best with the time of signing in it."""

    rule: HmacRule
    scheme: Scheme
    template: Sequence[str]

    def verify(self, request: RawRequest, *, now: datetime) -> Genuine | Forged:
        return judge(self.scheme, self._claim(request, now=now), request, now=now)

    def redact(self, request: RawRequest) -> RawRequest:
        """Leave it whole: a signature is no secret."""
        return request

    def _claim(self, request: RawRequest, *, now: datetime) -> Claim | Forged:
        header = single(request, self.rule.header)
        if isinstance(header, Forged):
            return header
        time, skew = "", None
        if self.rule.timestamp_header is not None:
            stamp = single(request, self.rule.timestamp_header)
            if isinstance(stamp, Forged):
                return stamp
            time, skew = stamp, clock(stamp, now=now, milliseconds=True)
            if skew is None:
                return Forged(_NO_CLOCK.format(self.rule.timestamp_header))
        signatures = candidates(header, self.rule)
        if not 1 <= len(signatures) <= MAX_CANDIDATES:
            return Forged(_miscounted(self.rule, len(signatures)), skew)
        return Claim(fill(self.template, request.body, time=time), signatures, skew)


_NO_CLOCK = "The header {} is not a whole number of unix seconds or milliseconds."


def candidates(header: str, rule: HmacRule) -> list[bytes]:
    """Take the signatures of a list divided by commas or spaces, each with or without prefix."""
    parts = [
        part.removeprefix(rule.prefix)
        for token in header.split()
        if token.startswith(rule.prefix)
        for part in token.removeprefix(rule.prefix).split(",")
    ]
    return [plain(part, rule.encoding) for part in parts if part]


def pieces(template: str) -> Sequence[str]:
    """Split a template: literal text at even places, names of placeholders at odd ones."""
    return _PLACEHOLDER.split(template)


def fill(template: Sequence[str], body: bytes, *, time: str) -> bytes:
    """Write the signed bytes from what was sent."""
    values = {"body": body, "timestamp": time.encode()}
    return b"".join(
        values[piece] if place % 2 else piece.encode() for place, piece in enumerate(template)
    )


def _miscounted(rule: HmacRule, count: int) -> str:
    if count:
        return f"{rule.header} carries {count} signatures; the limit is {MAX_CANDIDATES}."
    prefix = f" that starts with `{rule.prefix}`" if rule.prefix else ""
    return f"{rule.header} carries no signature{prefix}."
