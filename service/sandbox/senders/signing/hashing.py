"""Hashes over fields of a body, as a sender makes them."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import urlencode

import orjson

from service.intake.provider import SignedRequest
from service.intake.reading.paths import JSON, Path
from service.intake.verification import hashes, keyring, signing, templates
from service.intake.verification.hashes import Digest, Fields
from service.intake.verification.templates import Filling, Template
from service.sandbox.senders.occasion import Delivery, Object, Signer, put
from service.sandbox.senders.signing import drafts, hmacs
from service.settings import Source


def fields(
    scheme: Fields, write: Callable[[str], str] = str, *, signs_body: bool = False
) -> Signer:
    """Sign fields of the body; `write` makes the signature's field where it holds more than it.

    `signs_body` where it is all the fields, so that no change of the body can go unseen.
    """

    def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
        body = _signed_form if scheme.where == "form" else _signed_json
        return replace(draft, body=body(scheme, _key(scheme, source), draft.body, write))

    place = f"{scheme.where}:{scheme.signature}"
    if scheme.items:
        place = f"{scheme.where}:{scheme.items.removesuffix('[]')}[0].{scheme.signature}"
    return Signer(prove, place, signs_body=signs_body, keys=hmacs.KEYS[scheme.key])


def _key(scheme: Fields, source: Source) -> bytes:
    key = keyring.keys(source, scheme.what, scheme.key)[0]
    return scheme.derive(key) if scheme.derive else key


def _signed_form(scheme: Fields, key: bytes, body: bytes, write: Callable[[str], str]) -> bytes:
    found = hashes.form(body)
    proof = write(_hash(scheme, found, key))
    return urlencode({**found, scheme.signature: proof}).encode("ascii")


def _signed_json(scheme: Fields, key: bytes, body: bytes, write: Callable[[str], str]) -> bytes:
    # As texts for hashing, and as numbers for writing.
    document, exact = orjson.loads(body), json.loads(body, parse_int=str, parse_float=str)
    for item, same in zip(_items(scheme, document), _items(scheme, exact), strict=True):
        put(item, scheme.signature, write(_hash(scheme, same, key)))
    return orjson.dumps(document)


def _items(scheme: Fields, document: JSON) -> list[Object]:
    found = Path.of(scheme.items).find(document) if scheme.items else [document]
    listed = found if isinstance(found, list) else []
    return [item for item in listed if isinstance(item, dict)]


def _hash(scheme: Fields, found: Mapping[str, JSON], key: bytes) -> str:
    hidden = {scheme.signature, *scheme.exclude}
    kept = {name: value for name, value in found.items() if name not in hidden}
    message = scheme.compose(kept, key)
    if scheme.keyed:
        return signing.encode(hmac.digest(key, message, scheme.algorithm), scheme.encoding)
    return signing.encode(hashlib.new(scheme.algorithm, message).digest(), scheme.encoding)


def digest(scheme: Digest) -> Signer:
    """Hash a message with the secret in it."""

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        request = drafts.arrived(source, draft, delivery)
        filling = Filling(url=templates.address(source), options=templates.options(source))
        parts = [Template.of(part) for part in scheme.message.split("{secret}")]
        written = (hmacs.whole(part.write(request, filling), source) for part in parts)
        message = keyring.plain(source, scheme.what)[0].join(written)
        found = hashlib.new(scheme.algorithm, message).digest()
        return drafts.with_headers(draft, {scheme.header: signing.encode(found, scheme.encoding)})

    signs_body = "{body" in scheme.message or "{crc32" in scheme.message
    return Signer(prove, f"header:{scheme.header}", signs_body=signs_body)
