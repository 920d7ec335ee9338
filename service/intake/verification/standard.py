"""Standard Webhooks signatures: a raw request comes in, a judgement on it goes out.

Facts from the official library (standardwebhooks 1.1.0) and the specification
(standard-webhooks/standard-webhooks @b2fa7b8); Svix (svix 2.9.1) sends the same under its own
header names. Only symmetric signatures (`v1`) are judged, as the official libraries do; others in
the list (`v1a`, Ed25519) are passed over.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Self

from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.verification import keyring, signing
from service.settings import Source

ID, STAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SVIX = {"svix-id": ID, "svix-timestamp": STAMP, "svix-signature": SIGNATURE}


@dataclass(frozen=True, slots=True)
class Signature:
    """Judges requests by the keys of one source."""

    scheme: signing.Scheme

    @classmethod
    def of(cls, source: Source, what: str) -> Self:
        secrets = keyring.decoded(source, what, prefix=keyring.WHSEC)
        return cls(signing.Scheme(secrets, source.tolerance, encoding="base64"))

    def verify(self, request: RawRequest, *, now: datetime) -> Genuine | Forged:
        return signing.judge(self.scheme, claim(unbranded(request), now=now), request, now=now)


def unbranded(request: RawRequest) -> RawRequest:
    """Give Svix's headers the names of the standard, unless the standard's signature is there.

    All three are taken from one family, so what was signed is what is read later.
    """
    names = {name for name, _ in request.headers}
    if SIGNATURE in names or names.isdisjoint(SVIX):
        return request
    others = ((name, value) for name, value in request.headers if name not in (ID, STAMP))
    return replace(request, headers=tuple((SVIX.get(name, name), value) for name, value in others))


def claim(request: RawRequest, *, now: datetime) -> signing.Claim | Forged:
    """Read `v1,…` signatures, divided by spaces, over id, time and body."""
    parts = [signing.single(request, each) for each in (SIGNATURE, ID, STAMP)]
    for part in parts:
        if isinstance(part, Forged):
            return part
    header, name, stamp = (part for part in parts if not isinstance(part, Forged))
    skew = signing.clock(stamp, now=now)
    if skew is None:
        return Forged(f"The header {STAMP} is not a whole number of unix seconds.")
    # Dots divide what is signed, so the specification wants none in an id: it could borrow from
    # the time.
    if not name or "." in name:
        return Forged(f"The header {ID} is empty or holds a dot.", skew)
    pairs = [item.partition(",")[::2] for item in header.split()]
    signatures = [signing.plain(value, "base64") for version, value in pairs if version == "v1"]
    if not 1 <= len(signatures) <= signing.MAX_CANDIDATES:
        limit = signing.MAX_CANDIDATES
        return Forged(
            f"{SIGNATURE} carries {len(signatures)} v1 signatures, not 1 to {limit}.", skew
        )
    message = b".".join((signing.raw(name), stamp.encode(), request.body))
    return signing.Claim(message, signatures, skew)
