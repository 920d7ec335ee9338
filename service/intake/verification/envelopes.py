"""Envelopes of DingTalk, WeCom and Yonyou: a scheme and a source come in, a guard goes out.

Facts: DingTalk and WeCom from their documentation and wechatpy 1.8.18 (PyPI), Yonyou from the
vendor's demo; read 2026-11.
"""

import hashlib
import hmac
import re
from base64 import b64decode, b64encode
from collections.abc import Container, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.answering import replies
from service.intake.provider import (
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    Reply,
    Verification,
)
from service.intake.reading import mapping, markup
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.intake.verification import ciphers, keyring, signing, templates
from service.intake.verification.ciphers import BLOCK, NOT_OPENED
from service.intake.verification.writings import unwritten
from service.settings import Source


@dataclass(frozen=True, slots=True)
class Envelope:
    """DingTalk, WeCom, Yonyou: SHA-1 over the sorted token, time, nonce and an AES-256-CBC text.

    Each of `secrets` is `TOKEN:AESKEY` (43 characters of base64). Opened, the body is the message.
    The option `receiver` names the corporation or application the message must be for.
    """

    form: Literal["json", "xml"] = "json"
    encrypted: str = "encrypt"
    """The path of the encrypted text in the body."""
    place: Literal["query", "body"] = "query"
    """Where the three values below stand."""
    signature: tuple[str, ...] = ("msg_signature",)
    """Its possible names; the first that is there counts."""
    timestamp: str = "timestamp"
    nonce: str = "nonce"
    unit: Literal["s", "ms"] = "s"
    answers: bool = False
    """Whether an accepted request must be answered with an encrypted `success` (DingTalk)."""
    echo: str = ""
    """The parameter whose decrypted text a GET must give back (WeCom: `echostr`)."""
    derived: bool = False
    """Whether a secret without a colon makes the AES key, too (Yonyou's self-built apps)."""

    @property
    def summary(self) -> str:
        return "SHA-1 of token, time, nonce and the AES-256-CBC body"

    def guard(self, source: Source) -> Guard:
        what = "the token and the AES key as TOKEN:AESKEY"
        pairs = [self._pair(secret, source) for secret in keyring.plain(source, what)]
        return _Envelope(self, source, pairs)

    def _pair(self, secret: bytes, source: Source) -> "Pair":
        token, _, encoded = secret.strip().rpartition(b":")
        if not token and self.derived:
            token, encoded = encoded, encoded.replace(b"-", b"").ljust(_LONG, b"0")[:_LONG]
        if not token or re.fullmatch(rb"[A-Za-z0-9+/]{43}", encoded) is None:
            raise ConfigurationError(
                f"A secret of the source {source.name} is not TOKEN:AESKEY; the AES key has "
                f"{_LONG} letters and digits."
            )
        return Pair(token, b64decode(encoded + b"="))


DINGTALK = Envelope(signature=("msg_signature", "signature"), unit="ms", answers=True)
WECOM = Envelope(form="xml", encrypted="xml.Encrypt", echo="echostr")
YONYOU = Envelope(place="body", signature=("msgSignature",), unit="ms", derived=True)

_LONG = 43
_PADDED_TO = 32
_HEAD = 16
"""Random bytes before the length of the message."""
_SIZE = 4


@dataclass(frozen=True, slots=True)
class Pair:
    """What signs and what seals."""

    token: bytes = field(repr=False)
    key: bytes = field(repr=False)

    def sign(self, when: str, nonce: str, sealed: str) -> bytes:
        parts = sorted([self.token, *(signing.raw(each) for each in (when, nonce, sealed))])
        return hashlib.sha1(b"".join(parts), usedforsecurity=False).hexdigest().encode()


@dataclass(frozen=True, slots=True)
class Sent:
    """An envelope as it came."""

    signature: str
    when: str
    nonce: str
    sealed: str


@dataclass(frozen=True, slots=True)
class _Envelope(Guard):
    scheme: Envelope
    source: Source = field(repr=False)
    pairs: Sequence[Pair] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        sent = self._sent(request)
        if isinstance(sent, Forged):
            signing.decoy(request, now=now)
            return sent
        skew = templates.skew(sent.when, self.scheme.unit, now=now)
        if skew is None:
            return Forged(f"The {self.scheme.timestamp} is not a time of signing.")
        if not self._signers(sent):
            return signing.mismatch(1, len(self.pairs), skew)
        if abs(skew) > self.source.tolerance:
            return signing.stale(skew, self.source.tolerance)
        return Genuine()

    def open(self, request: RawRequest) -> RawRequest:
        sent = self._sent(request)
        if isinstance(sent, Forged):
            raise Unreadable(sent.reason)
        signers = self._signers(sent)
        if not signers:
            raise Unreadable("None of the configured secrets is the one it was signed with.")
        return replace(request, body=self._unseal(signers[0], sent.sealed))

    def greet(self, request: RawRequest) -> Reply | None:
        echo = request.parameter(self.scheme.echo) if self.scheme.echo else None
        if request.method != "GET" or echo is None:
            return None
        sent = self._with_values(echo, request)
        signers = [] if isinstance(sent, Forged) else self._signers(sent)
        if not signers:
            return None
        try:
            plain = self._unseal(signers[0], echo).decode("ascii")
        except (Unreadable, UnicodeError):
            return None
        return replies.text(plain) if replies.is_harmless(plain) else None

    def answer(self, request: RawRequest) -> Reply | None:
        """Seal `success`.

        What ought to be random is a keyed hash of the request: nobody without the key can foresee
        it, no two requests share it, and the same request is answered the same.
        """
        sent = self._sent(request) if self.scheme.answers else None
        if sent is None or isinstance(sent, Forged):
            return None
        signer = next(iter(self._signers(sent)), None)
        return _success(signer, sent, self._receiver()) if signer else None

    def _signers(self, sent: Sent) -> Sequence[Pair]:
        offered = signing.raw(sent.signature.lower())
        return [
            pair
            for pair in self.pairs
            if hmac.compare_digest(pair.sign(sent.when, sent.nonce, sent.sealed), offered)
        ]

    def _sent(self, request: RawRequest) -> Sent | Forged:
        try:
            document = _document(self.scheme.form, request.body)
        except Unreadable as why:
            return Forged(str(why))
        sealed = Path.of(self.scheme.encrypted).find(document)
        if not isinstance(sealed, str):
            return Forged(f"The body carries no {self.scheme.encrypted}.", cause=Cause.MISSING)
        if self.scheme.place == "query":
            return self._with_values(sealed, request)
        assert isinstance(document, dict)
        values = {name: mapping.word(value) for name, value in document.items()}
        found = [values.get(name) for name in self._names(values.keys())]
        return _complete(found, sealed)

    def _with_values(self, sealed: str, request: RawRequest) -> Sent | Forged:
        names = {name for name in self.scheme.signature if request.parameter(name) is not None}
        return _complete([request.parameter(name) for name in self._names(names)], sealed)

    def _names(self, there: Container[str]) -> Sequence[str]:
        signature = next((name for name in self.scheme.signature if name in there), "")
        return (signature, self.scheme.timestamp, self.scheme.nonce)

    def _receiver(self) -> str:
        receiver = self.source.options.get("receiver")
        return receiver if isinstance(receiver, str) else ""

    def _unseal(self, pair: Pair, sealed: str) -> bytes:
        """Open: random bytes, the length of the message, the message, whom it is for."""
        raw = unwritten(sealed, "base64") or b""
        plain = ciphers.open_cbc(pair.key, pair.key[:BLOCK], raw, block=_PADDED_TO)
        start = _HEAD + _SIZE
        end = start + int.from_bytes(plain[_HEAD:start])
        if len(plain) < start or end > len(plain):
            raise Unreadable(NOT_OPENED)
        receiver = self._receiver()
        if receiver and plain[end:] != receiver.encode():
            raise Unreadable("The message is meant for another than options.receiver names.")
        return plain[start:end]


def _document(form: Literal["json", "xml"], body: bytes) -> JSON:
    document = markup.read(body) if form == "xml" else mapping.read(body)
    if not isinstance(document, dict):
        raise Unreadable("The body is no object.")
    return document


def _complete(values: Sequence[str | None], sealed: str) -> Sent | Forged:
    signature, when, nonce = values
    if not (signature and when and nonce):
        why = "The signature, its time or its nonce is missing, or was sent twice."
        return Forged(why, cause=Cause.MISSING)
    return Sent(signature, when, nonce, sealed)


def _success(pair: Pair, sent: Sent, receiver: str) -> Reply:
    seed = hmac.digest(pair.key, signing.raw(f"{sent.when}\n{sent.nonce}\n{sent.sealed}"), "sha256")
    head, nonce = seed[:_HEAD], seed[_HEAD:].hex()[:_HEAD]
    message = b"success"
    plain = head + len(message).to_bytes(_SIZE) + message + receiver.encode()
    raw = ciphers.seal_cbc(pair.key, pair.key[:BLOCK], plain, block=_PADDED_TO)
    sealed = b64encode(raw).decode()
    signature = pair.sign(sent.when, nonce, sealed).decode()
    return replies.document(
        {"msg_signature": signature, "timeStamp": sent.when, "nonce": nonce, "encrypt": sealed}
    )
