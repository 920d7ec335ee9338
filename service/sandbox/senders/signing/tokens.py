"""JSON Web Tokens and signatures, as a sender makes them."""

import hashlib
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import replace

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.intake.reading.paths import JSON
from service.intake.verification import jws
from service.intake.verification.tokens import Token
from service.sandbox.senders.occasion import Delivery, Object, Pair, Signer
from service.sandbox.senders.signing import drafts, keys, publickeys
from service.settings import Source

Claims = Callable[[Source, Delivery], Mapping[str, JSON]]


def signer(
    scheme: Token,
    *,
    claims: Claims | None = None,
    publish: publickeys.Publish | None = None,
    key_id: str = "key-1",
    unencoded: bool = False,
) -> Signer:
    """Sign as the scheme verifies; the first secret is the private key (PEM), or the shared one.

    `claims` adds to what the scheme asks for; `publish` serves keys in another way than as a key
    set at a fixed address; `unencoded` makes a detached signature of `b64=false`.
    """

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        more = dict(claims(source, delivery)) if claims else {}
        payload = _payload(scheme, source, draft, delivery, more)
        header: Object = {"alg": scheme.algorithm, "kid": key_id}
        if unencoded:
            header |= {"b64": False, "crit": ["b64"]}
        return _placed(scheme, draft, _written(scheme, source, header, payload))

    return Signer(
        prove,
        _proof_at(scheme),
        signs_body=bool(scheme.body_hash) or scheme.where.startswith(("body", "detached")),
        timed=bool(_stamps(scheme)),
        keys=lambda word: _pair(scheme, word, key_id, publish),
    )


def _proof_at(scheme: Token) -> str:
    kind, _, name = scheme.where.partition(":")
    match kind:
        case "bearer":
            return "header:Authorization"
        case "body":
            return f"body:{name}" if name else "whole"
        case _:
            return f"header:{name}"


def _stamps(scheme: Token) -> tuple[str, ...]:
    """The times a token must carry, so that neither an old nor an early one is taken."""
    if scheme.where.startswith("detached"):
        return ()
    if not scheme.where.startswith("body"):
        return ("iat", "exp")
    return ("iat",) if scheme.fresh else tuple(sorted({"iat", "exp"} & set(scheme.require)))


def _payload(
    scheme: Token,
    source: Source,
    draft: SignedRequest,
    delivery: Delivery,
    more: dict[str, JSON],
) -> bytes:
    if scheme.where.startswith("detached"):
        return draft.body
    said: Object = dict(more)
    if scheme.where.startswith("body"):
        said = orjson.loads(draft.body) | said
    named = {"iss": scheme.issuer, "aud": scheme.audience}
    said |= {name: _configured(source, text) for name, text in named.items() if text}
    said |= {name: int(delivery.at.timestamp()) for name in _stamps(scheme)}
    if scheme.body_hash:
        digest = hashlib.sha256(draft.body).digest()
        written = digest.hex() if scheme.hashed == "hex" else b64encode(digest).decode("ascii")
        said[scheme.body_hash] = written
    for place in reversed(scheme.unfold):
        _fold(said, place)
    return orjson.dumps(said)


def _configured(source: Source, text: str) -> str:
    kind, colon, name = text.partition(":")
    return str(source.options.get(name, "")) if colon and kind == "option" else text


def _fold(document: Object, place: str) -> None:
    """Write what stands at a place as the text of its JSON."""
    *parents, last = place.split(".")
    for step in parents:
        inner = document.get(step)
        document = inner if isinstance(inner, dict) else {}
    document[last] = orjson.dumps(document.get(last)).decode()


def _written(scheme: Token, source: Source, header: Object, payload: bytes) -> str:
    detached = scheme.where.startswith("detached")
    head = _encoded(orjson.dumps(header))
    middle = payload if "b64" in header else _encoded(payload)
    algorithm = jws.verifier(scheme.algorithm)
    key = source.secrets[0].reveal() if _is_shared(scheme) else publickeys.private(source)
    signature = _encoded(algorithm.sign(head + b"." + middle, algorithm.prepare_key(key)))
    return b".".join((head, b"" if detached else middle, signature)).decode("ascii")


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


def _placed(scheme: Token, draft: SignedRequest, token: str) -> SignedRequest:
    place = _proof_at(scheme)
    if place == "whole":
        return replace(draft, body=token.encode("ascii"))
    if place.startswith("body:"):
        return replace(draft, body=_alone(place.removeprefix("body:"), token))
    return drafts.at_place(draft, place, f"Bearer {token}" if scheme.where == "bearer" else token)


def _alone(path: str, token: str) -> bytes:
    """Write a body that holds nothing but the token."""
    return drafts.with_field(SignedRequest({}, b"{}"), path, token).body


def _is_shared(scheme: Token) -> bool:
    return scheme.algorithm.startswith("HS")


def _pair(scheme: Token, word: str, key_id: str, publish: publickeys.Publish | None) -> Pair:
    if _is_shared(scheme):
        return keys.of_length(64, word)
    private = _key(scheme, word)
    pair = keys.pem(private)
    if publish is not None:
        return replace(pair, verify_with=None, documents=publish(private, word))
    if isinstance(scheme.fetched, str):
        return replace(pair, verify_with=None, documents={scheme.fetched: key_set(private, key_id)})
    return pair


def _key(scheme: Token, word: str) -> keys.Private:
    match scheme.algorithm[:2]:
        case "RS" | "PS":
            return keys.rsa_key(word)
        case "Ed":
            return keys.ed25519_key(word)
        case _ if scheme.algorithm == "ES256":
            return keys.ec_key(word)
        case _:
            raise ConfigurationError(f"No simulated sender has a key for {scheme.algorithm}.")


def key_set(private: keys.Private, key_id: str) -> bytes:
    """Write the public key as a key set (JWKS)."""
    match private.public_key():
        case EllipticCurvePublicKey() as public:
            said = ECAlgorithm.to_jwk(public, as_dict=True)
        case Ed25519PublicKey() as public:
            said = OKPAlgorithm.to_jwk(public, as_dict=True)
        case public:
            said = RSAAlgorithm.to_jwk(public, as_dict=True)
    return orjson.dumps({"keys": [said | {"kid": key_id, "use": "sig"}]})
