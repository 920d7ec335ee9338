"""Standard Webhooks signatures: a raw request comes in, a judgement on it goes out.

Facts from the official library (standardwebhooks 1.1.0) and the specification
(standard-webhooks/standard-webhooks @b2fa7b8); Svix (svix 2.9.1) sends the same under its own
header names. Only symmetric signatures (`v1`) are judged, as the official libraries do; others in
the list (`v1a`, Ed25519) are passed over.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, Keys, RawRequest
from service.intake.verification import keyring, signing
from service.intake.verification.keyring import Spelling
from service.settings import Source

ID, STAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
SVIX = {"svix-id": ID, "svix-timestamp": STAMP, "svix-signature": SIGNATURE}


@dataclass(frozen=True, slots=True)
class StandardWebhooks:
    """A sender that signs by the specification; only how it hands out the secret may differ."""

    what: str = "the endpoint's signing secret (whsec_…)"
    key: Spelling = "whsec"
    """text: the secret itself is the key, as with BigCommerce."""
    bare: bool = False
    """Whether a signature may come without its version `v1,`."""

    @property
    def summary(self) -> str:
        return "Standard Webhooks"

    def guard(self, source: Source) -> "Signature":
        secrets = keyring.keys(source, self.what, self.key)
        return Signature(
            signing.Keyring(secrets, source.tolerance, encoding="base64"), bare=self.bare
        )


@dataclass(frozen=True, slots=True)
class Signature(Guard):
    """Judges requests by the keys of one source."""

    keyring: signing.Keyring
    bare: bool = False

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        said = claim(unbranded(request), now=now, bare=self.bare)
        return signing.judge(self.keyring, said, request, now=now)

    def open(self, request: RawRequest) -> RawRequest:
        """Name the headers as the standard does, for who reads the id there."""
        return unbranded(request)


def unbranded(request: RawRequest) -> RawRequest:
    """Give Svix's headers the names of the standard, unless the standard's signature is there.

    All three are taken from one family, so what was signed is what is read later.
    """
    names = {name for name, _ in request.headers}
    if SIGNATURE in names or names.isdisjoint(SVIX):
        return request
    others = ((name, value) for name, value in request.headers if name not in (ID, STAMP))
    return replace(request, headers=tuple((SVIX.get(name, name), value) for name, value in others))


def claim(request: RawRequest, *, now: datetime, bare: bool = False) -> signing.Claim | Forged:
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
    signatures = _signatures(header, skew, bare=bare)
    if isinstance(signatures, Forged):
        return signatures
    message = b".".join((signing.raw(name), stamp.encode(), request.body))
    return signing.Claim(message, signatures, skew)


def _signatures(header: str, skew: timedelta, *, bare: bool) -> list[bytes] | Forged:
    found: list[bytes] = []
    for item in header.split():
        version, comma, value = item.partition(",")
        if version == "v1" or (bare and not comma):
            found.append(signing.plain(value if comma else item, "base64"))
    limit = signing.MAX_CANDIDATES
    if 1 <= len(found) <= limit:
        return found
    cause = Cause.MALFORMED if found else Cause.MISSING
    return Forged(f"{SIGNATURE} carries {len(found)} v1 signatures, not 1 to {limit}.", skew, cause)
