"""Encrypted bodies as data: a scheme and a source come in, a guard that verifies and opens out.

Facts: WeChat Pay from wechatpay-go (the vendor's) and wechatpayv3 2.0.4 (PyPI), Feishu from its
documentation and lark-oapi 1.7.5 (PyPI); read 2026-11.
"""

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from service.domain.errors import ConfigurationError
from service.intake.answering import replies
from service.intake.answering.handshakes import MAX_BODY
from service.intake.provider import (
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    Reply,
    Verification,
)
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import ciphers, keyring, signing
from service.intake.verification.ciphers import BLOCK, KEY, NOT_OPENED
from service.intake.verification.envelopes import DINGTALK, WECOM, YONYOU, Envelope
from service.intake.verification.publickeys import PublicKey
from service.intake.verification.writings import unwritten
from service.settings import Source

__all__ = ["DINGTALK", "WECOM", "YONYOU", "Envelope", "Lark", "WeChatPay"]

PLATFORM = PublicKey(
    "Wechatpay-Signature",
    message="{time}\n{header:Wechatpay-Nonce}\n{body}\n",
    time="header:Wechatpay-Timestamp",
    key_id="header:Wechatpay-Serial",
    what="the platform's public key or certificates",
    body=False,
)


@dataclass(frozen=True, slots=True)
class WeChatPay:
    """WeChat Pay v3: RSA over time, nonce and body; `resource` is AES-256-GCM.

    `secrets` hold the 32-byte APIv3 key and the platform's public key or certificates (PEM).
    Opened, `resource` is the decrypted object, the rest of the body stays.
    """

    @property
    def summary(self) -> str:
        return "RSA-SHA256 of time, nonce and body; the resource in AES-256-GCM"

    def guard(self, source: Source) -> Guard:
        public = [one for one in source.secrets if b"-----BEGIN" in one.reveal()]
        keys = [one.reveal().strip() for one in source.secrets if one not in public]
        if not keys or not public or any(len(key) != KEY for key in keys):
            raise ConfigurationError(
                f"The source {source.name} needs both in secrets: the APIv3 key of {KEY} "
                "characters, and the platform's public key or certificates in PEM."
            )
        signed = PLATFORM.guard(source.model_copy(update={"secrets": tuple(public)}))
        return _WeChatPay(signed, keys)


@dataclass(frozen=True, slots=True)
class _WeChatPay(Guard):
    signed: Guard
    keys: Sequence[bytes] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        return self.signed.verify(request, now=now, keys=keys)

    def open(self, request: RawRequest) -> RawRequest:
        document = mapping.read(request.body)
        resource = document.get("resource") if isinstance(document, dict) else None
        if not isinstance(document, dict) or not isinstance(resource, dict):
            raise Unreadable("The body holds no encrypted resource.")
        document["resource"] = mapping.read(self._open(resource))
        return replace(request, body=orjson.dumps(document))

    def _open(self, resource: dict[str, JSON]) -> bytes:
        sealed = unwritten(_text(resource, "ciphertext"), "base64")
        nonce, also = _text(resource, "nonce"), _text(resource, "associated_data")
        if resource.get("algorithm") != "AEAD_AES_256_GCM" or sealed is None:
            raise Unreadable("The resource is not encrypted by AEAD_AES_256_GCM.")
        for key in self.keys[:-1]:
            try:
                return ciphers.open_gcm(key, nonce.encode(), sealed, also.encode())
            except Unreadable:
                continue
        return ciphers.open_gcm(self.keys[-1], nonce.encode(), sealed, also.encode())


def _text(resource: dict[str, JSON], name: str) -> str:
    value = resource.get(name)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


@dataclass(frozen=True, slots=True)
class Lark:
    """Feishu and Lark: SHA-256 of time, nonce, key and body; the body is AES-256-CBC.

    Each of `secrets` is an Encrypt Key. Opened, the body is the event.
    """

    @property
    def summary(self) -> str:
        return "SHA-256 of time, nonce, key and body; the body in AES-256-CBC"

    def guard(self, source: Source) -> Guard:
        return _Lark(source, keyring.plain(source, "the Encrypt Key of the app"))


@dataclass(frozen=True, slots=True)
class _Lark(Guard):
    source: Source = field(repr=False)
    keys: Sequence[bytes] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        sent = [signing.single(request, f"X-Lark-{name}") for name in _LARK]
        for part in sent:
            if isinstance(part, Forged):
                signing.decoy(request, now=now)
                return part
        skew = signing.clock(str(sent[0]), now=now)
        if skew is None:
            return Forged("The header X-Lark-Request-Timestamp is not in unix seconds.")
        if not self._signers(request):
            return signing.mismatch(1, len(self.keys), skew)
        if abs(skew) > self.source.tolerance:
            return signing.stale(skew, self.source.tolerance)
        return Genuine()

    def open(self, request: RawRequest) -> RawRequest:
        signers = self._signers(request)
        if not signers:
            raise Unreadable("None of the configured secrets is the one it was signed with.")
        return replace(request, body=_lark_body(signers[0], request.body))

    def greet(self, request: RawRequest) -> Reply | None:
        """Answer `url_verification`, which comes unsigned; what else opens is told to nobody."""
        if request.method != "POST" or len(request.body) > MAX_BODY:
            return None
        for key in self.keys:
            challenge = _challenge(key, request.body)
            if challenge is not None:
                return replies.document({"challenge": challenge})
        return None

    def _signers(self, request: RawRequest) -> Sequence[bytes]:
        when, nonce, given = (signing.raw(request.header(f"X-Lark-{name}") or "") for name in _LARK)
        found = [
            (key, hashlib.sha256(b"".join((when, nonce, key, request.body))).hexdigest())
            for key in self.keys
        ]
        return [key for key, right in found if hmac.compare_digest(right.encode(), given.lower())]


_LARK = ("Request-Timestamp", "Request-Nonce", "Signature")


def _lark_body(key: bytes, body: bytes) -> bytes:
    """Open `{"encrypt": …}`; a body that is not sealed stays as it is."""
    document = mapping.read(body)
    sealed = document.get("encrypt") if isinstance(document, dict) else None
    if sealed is None:
        return body
    raw = unwritten(sealed, "base64") if isinstance(sealed, str) else None
    if raw is None or len(raw) <= BLOCK:
        raise Unreadable(NOT_OPENED)
    return ciphers.open_cbc(hashlib.sha256(key).digest(), raw[:BLOCK], raw[BLOCK:])


def _challenge(key: bytes, body: bytes) -> str | None:
    try:
        document = mapping.read(_lark_body(key, body))
    except Unreadable:
        return None
    if not isinstance(document, dict) or document.get("type") != "url_verification":
        return None
    challenge = document.get("challenge")
    return challenge if isinstance(challenge, str) and replies.is_harmless(challenge) else None
