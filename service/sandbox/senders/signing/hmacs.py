"""Keyed hashes over a message, as a sender makes them."""

import hmac
from collections.abc import Callable, Mapping

from service.domain.errors import ConfigurationError
from service.intake.provider import Forged, SignedRequest
from service.intake.verification import keyring, signing, templates
from service.intake.verification.hmacs import Hmac
from service.intake.verification.keyring import Spelling
from service.intake.verification.templates import Filling, Template
from service.sandbox.senders.occasion import Delivery, Pair, Signer, text
from service.sandbox.senders.signing import drafts, keys
from service.settings import Source

KEYS: Mapping[Spelling, Callable[[str], Pair]] = {
    "text": text,
    "base64": keys.base64_text,
    "hex": keys.hexadecimal,
    "whsec": keys.whsec,
}


def signer(scheme: Hmac) -> Signer:
    """Sign as the scheme verifies."""

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        return _prove(scheme, source, draft, delivery)

    proof = f"query:{scheme.header}" if scheme.where == "query" else f"header:{scheme.header}"
    return Signer(
        prove,
        scheme.where if scheme.where.startswith("body:") else proof,
        also=_also(scheme),
        signs_body=scheme.canonical is not None or "{body" in scheme.message,
        timed=bool(scheme.place_of_time),
        keys=KEYS[scheme.key],
    )


def _also(scheme: Hmac) -> tuple[str, ...]:
    places = (scheme.time, scheme.id)
    return tuple(place for place in places if place and not place.startswith("pair:"))


def _prove(scheme: Hmac, source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
    stamp, name = drafts.stamp(delivery.at, scheme.unit), drafts.name(draft, delivery)
    for place, value in ((scheme.time, stamp), (scheme.id, name)):
        if place and not place.startswith("pair:"):
            draft = drafts.at_place(draft, place, value)
    message = _message(scheme, source, draft, delivery, stamp, name)
    key = keyring.keys(source, scheme.what, scheme.key)[0]
    digest = hmac.digest(scheme.derive(key) if scheme.derive else key, message, scheme.algorithm)
    proof = scheme.prefix + signing.encode(digest, scheme.encoding)
    if scheme.pairs:
        proof = _paired(scheme, stamp, name, proof)
    if scheme.where.startswith("body:"):
        return drafts.with_field(draft, scheme.where[5:], proof)
    return drafts.at_place(draft, f"{scheme.where}:{scheme.header}", proof)


def _message(
    scheme: Hmac, source: Source, draft: SignedRequest, delivery: Delivery, stamp: str, name: str
) -> bytes:
    request = drafts.arrived(source, draft, delivery)
    if scheme.canonical:
        return scheme.canonical(request)
    filling = Filling(stamp, name, templates.address(source), templates.options(source))
    return whole(Template.of(scheme.message).write(request, filling), source)


def whole(message: bytes | Forged, source: Source) -> bytes:
    """Insist on a message that has all its parts."""
    if isinstance(message, Forged):
        raise ConfigurationError(f"Nothing can be signed for {source.name}: {message.reason}")
    return message


def _paired(scheme: Hmac, stamp: str, name: str, proof: str) -> str:
    clock, signature = scheme.pairs or ("", "")
    pairs = {clock: stamp, scheme.id.removeprefix("pair:"): name} if scheme.pairs else {}
    if not scheme.id.startswith("pair:"):
        pairs = {clock: stamp}
    written = [(key, value) for key, value in pairs.items() if key] + [(signature, proof)]
    return scheme.separator.join(f"{key}{scheme.assign}{value}" for key, value in written)
