"""Encrypted bodies, as a sender makes them."""

import hashlib
from base64 import b64decode, b64encode
from dataclasses import replace

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.intake.provider import SignedRequest
from service.intake.reading.paths import JSON
from service.intake.verification import ciphers, sealed
from service.intake.verification.ciphers import BLOCK
from service.intake.verification.envelopes import Envelope
from service.intake.verification.envelopes import Pair as Keys
from service.sandbox.senders import bodies
from service.sandbox.senders.occasion import Delivery, Object, Pair, Signer, put, shared
from service.sandbox.senders.signing import drafts, keys, publickeys
from service.settings import Secret, Source

NONCE = "sample-nonce"
PADDED_TO, HEAD, SIZE, LONG = 32, 16, 4, 43


def envelope(scheme: Envelope) -> Signer:
    """Seal for DingTalk, WeCom and Yonyou; the option `receiver` is whom the message is for."""

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        pair = _keys(source.secrets[0].reveal())
        stamp, text = drafts.stamp(delivery.at, scheme.unit), _sealed(pair, source, draft.body)
        values = {
            scheme.signature[0]: pair.sign(stamp, NONCE, text).decode("ascii"),
            scheme.timestamp: stamp,
            scheme.nonce: NONCE,
        }
        body: Object = dict(values) if scheme.place == "body" else {}
        put(body, scheme.encrypted, text)
        posted = replace(draft, body=bodies.write(scheme.form, body))
        return drafts.with_query(posted, values) if scheme.place == "query" else posted

    proof, *also = (
        f"{scheme.place}:{name}" for name in (scheme.signature[0], scheme.timestamp, scheme.nonce)
    )
    return Signer(prove, proof, tuple(also), timed=True, keys=_pair)


def _pair(word: str) -> Pair:
    return shared(f"token-{word}:{hashlib.sha512(word.encode()).hexdigest()[:LONG]}")


def _keys(secret: bytes) -> Keys:
    token, _, encoded = secret.strip().rpartition(b":")
    if not token:
        token, encoded = encoded, encoded.replace(b"-", b"").ljust(LONG, b"0")[:LONG]
    return Keys(token, b64decode(encoded + b"="))


def _sealed(pair: Keys, source: Source, message: bytes) -> str:
    receiver = str(source.options.get("receiver", "")).encode()
    head = hashlib.sha256(message).digest()[:HEAD]
    plain = head + len(message).to_bytes(SIZE) + message + receiver
    raw = ciphers.seal_cbc(pair.key, pair.key[:BLOCK], plain, block=PADDED_TO)
    return b64encode(raw).decode("ascii")


def lark(*, encrypted: bool = True) -> Signer:
    """Seal for Feishu and Lark."""

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        key, stamp = source.secrets[0].reveal(), drafts.stamp(delivery.at, "s")
        body = _lark_body(key, draft.body) if encrypted else draft.body
        parts = (stamp.encode(), NONCE.encode(), key, body)
        proof = {
            "X-Lark-Request-Timestamp": stamp,
            "X-Lark-Request-Nonce": NONCE,
            "X-Lark-Signature": hashlib.sha256(b"".join(parts)).hexdigest(),
        }
        return drafts.with_headers(replace(draft, body=body), proof)

    also = ("header:X-Lark-Request-Timestamp", "header:X-Lark-Request-Nonce")
    return Signer(prove, "header:X-Lark-Signature", also, timed=True)


def _lark_body(key: bytes, plain: bytes) -> bytes:
    start = hashlib.sha256(plain).digest()[:BLOCK]
    raw = start + ciphers.seal_cbc(hashlib.sha256(key).digest(), start, plain)
    return orjson.dumps({"encrypt": b64encode(raw).decode("ascii")})


def wechat_pay() -> Signer:
    """Sign as the platform of WeChat Pay does, and seal `resource`."""
    platform = publickeys.signer(sealed.PLATFORM, key_id="PUB_KEY_ID_1")

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        private = [one for one in source.secrets if b"PRIVATE" in one.reveal()]
        ciphers_ = [one for one in source.secrets if b"-----BEGIN" not in one.reveal()]
        document = orjson.loads(draft.body)
        document["resource"] = _resource(ciphers_[0].reveal(), document["resource"])
        body = replace(draft, body=orjson.dumps(document))
        named = drafts.with_headers(body, {"Wechatpay-Nonce": NONCE})
        signing = source.model_copy(update={"secrets": tuple(private)})
        return platform.prove(signing, named, delivery)

    also = (*platform.also, "header:Wechatpay-Nonce")
    return replace(platform, prove=prove, also=also, keys=_wechat_pair)


def _wechat_pair(word: str) -> Pair:
    cipher = Secret.plain(hashlib.sha256(b"api v3").hexdigest()[: ciphers.KEY])
    return replace(keys.rsa_pem(word), besides=(cipher,))


def _resource(key: bytes, plain: JSON) -> Object:
    nonce, also = NONCE, "transaction"
    raw = AESGCM(key).encrypt(nonce.encode(), orjson.dumps(plain), also.encode())
    return {
        "algorithm": "AEAD_AES_256_GCM",
        "ciphertext": b64encode(raw).decode("ascii"),
        "associated_data": also,
        "nonce": nonce,
        "original_type": "transaction",
    }
