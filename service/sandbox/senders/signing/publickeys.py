"""Signatures with a private key, as a sender makes them."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.intake.verification import asymmetric, templates
from service.intake.verification.asymmetric import Algorithm, Shape
from service.intake.verification.publickeys import PublicKey
from service.intake.verification.templates import Filling, Template
from service.sandbox.senders.occasion import Delivery, Pair, Signer
from service.sandbox.senders.signing import drafts, hmacs, keys
from service.settings import Source

Publish = Callable[[keys.Private, str], Mapping[str, bytes]]
"""(the private key, the word of the test) -> what stands behind the addresses of keys."""


def signer(
    scheme: PublicKey,
    *,
    publish: Publish | None = None,
    key_id: str = "",
    seal: Callable[[Mapping[str, str]], str] | None = None,
) -> Signer:
    """Sign as the scheme verifies; the first secret is then the private key, PEM.

    `publish` serves the public key where the gateway fetches it; `seal` writes the header of a
    scheme with an envelope from `signature` and the pairs. `key_id` is the name of the key.
    """

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        pairs = {"key_id": key_id} if key_id else {}
        return _prove(scheme, source, draft, delivery, pairs, seal)

    return Signer(
        prove,
        _proof_at(scheme),
        tuple(place for place in (scheme.time, scheme.id) if place.startswith(("header", "query"))),
        signs_body=scheme.canonical is not None or "{body" in scheme.message,
        timed=bool(scheme.time),
        keys=lambda word: _pair(scheme, word, publish),
    )


def _proof_at(scheme: PublicKey) -> str:
    if scheme.where in ("header", "query", "form"):
        return f"{scheme.where}:{scheme.header}"
    return scheme.where


def _pair(scheme: PublicKey, word: str, publish: Publish | None) -> Pair:
    private = key_for(scheme.algorithm, word)
    pair = keys.pem(private)
    if publish is not None:
        return replace(pair, verify_with=None, documents=publish(private, word))
    if isinstance(scheme.fetched, str):
        document = keys.public_pem(private)
        return replace(pair, verify_with=None, documents={scheme.fetched: document})
    return pair


def key_for(algorithm: Algorithm, word: str) -> keys.Private:
    """Make a key of the algorithm's kind."""
    kind = algorithm.partition("-")[0]
    makers: Mapping[str, Callable[[str], keys.Private]] = {
        "rsa": keys.rsa_key,
        "ecdsa": keys.ec_key,
        "ed25519": keys.ed25519_key,
    }
    return makers[kind](word)


def _prove(
    scheme: PublicKey,
    source: Source,
    draft: SignedRequest,
    delivery: Delivery,
    pairs: dict[str, str],
    seal: Callable[[Mapping[str, str]], str] | None,
) -> SignedRequest:
    stamp, name = drafts.stamp(delivery.at, scheme.unit), drafts.name(draft, delivery)
    for place, value in (
        (scheme.time, stamp),
        (scheme.id, name),
        (scheme.key_id, pairs.get("key_id", "")),
    ):
        if place.startswith("pair:"):
            pairs[place.removeprefix("pair:")] = value
        elif place:
            draft = drafts.at_place(draft, place, value)
    message = _message(scheme, source, draft, delivery, stamp, name)
    raw = signed(private(source), scheme.algorithm, message, scheme.ecdsa)
    text = raw.hex() if scheme.encoding == "hex" else b64encode(raw).decode("ascii")
    proof = seal({**pairs, "signature": text}) if seal else scheme.prefix + text
    return _placed(scheme, draft, proof)


def _placed(scheme: PublicKey, draft: SignedRequest, proof: str) -> SignedRequest:
    match scheme.where:
        case "form":
            found = dict(parse_qsl(draft.body.decode("ascii"), keep_blank_values=True))
            return replace(draft, body=urlencode({**found, scheme.header: proof}).encode("ascii"))
        case "header" | "query":
            return drafts.at_place(draft, f"{scheme.where}:{scheme.header}", proof)
        case where:
            return drafts.at_place(draft, where, proof)


def _message(
    scheme: PublicKey,
    source: Source,
    draft: SignedRequest,
    delivery: Delivery,
    stamp: str,
    name: str,
) -> bytes:
    request = drafts.arrived(source, draft, delivery)
    if scheme.canonical:
        made = scheme.canonical(request)
        return made if isinstance(made, bytes) else made[0]
    filling = Filling(stamp, name, request.url, templates.options(source))
    return hmacs.whole(Template.of(scheme.message).write(request, filling), source)


def private(source: Source) -> keys.Private:
    """Read the private key that stands in for the first secret."""
    if source.secrets:
        try:
            found = load_pem_private_key(source.secrets[0].reveal(), password=None)
        except (ValueError, TypeError):
            found = None
        if isinstance(found, RSAPrivateKey | EllipticCurvePrivateKey | Ed25519PrivateKey):
            return found
    raise ConfigurationError(
        f"The sender of {source.name} signs with a private key, which only it has; to simulate it "
        "put the public key of a pair into secrets and give the private one (PEM) to "
        "`orderhook send` with --key-file."
    )


def signed(key: keys.Private, algorithm: Algorithm, message: bytes, shape: Shape = "der") -> bytes:
    """Sign, whatever the kind of the key."""
    digest = asymmetric.HASHES.get(algorithm.rpartition("-")[2], hashes.SHA256)()
    match key:
        case Ed25519PrivateKey():
            return key.sign(message)
        case EllipticCurvePrivateKey():
            return _shaped(key.sign(message, ECDSA(digest)), key, shape)
        case _ if "pss" in algorithm:
            pad = padding.PSS(padding.MGF1(digest), digest.digest_size)
            return key.sign(message, pad, digest)
        case _:
            return key.sign(message, padding.PKCS1v15(), digest)


def _shaped(der: bytes, key: EllipticCurvePrivateKey, shape: Shape) -> bytes:
    if shape == "der":
        return der
    half = (key.curve.key_size + 7) // 8
    return b"".join(part.to_bytes(half, "big") for part in decode_dss_signature(der))


def json64(pairs: Mapping[str, str]) -> str:
    """Write pairs as base64 of a JSON object; the other end of publickeys.json64."""
    return b64encode(orjson.dumps(dict(pairs))).decode("ascii")
