"""Public-key signatures as data: a scheme and a source come in, a guard over raw requests out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Literal

import orjson

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, Guard, Keys, RawRequest, Verification
from service.intake.reading import bodies, mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.intake.verification import asymmetric, material, signing, templates
from service.intake.verification.asymmetric import Algorithm
from service.intake.verification.keychain import Fetched, Found, Keychain
from service.intake.verification.material import Key
from service.intake.verification.templates import Filling, Template, Unit
from service.intake.verification.writings import Writing, unwritten
from service.settings import Source

__all__ = ["Canonical", "Fetched", "PublicKey", "json64"]

Canonical = Callable[[RawRequest], bytes | Sequence[bytes]]
"""The signed bytes, or every reading of them that a sender may have signed; raises Unreadable."""
MAX_READINGS = 4


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A sender that signs a message with a private key; we hold or fetch the public one.

    The message is a template (see templates.Template); a place is `header:Name`, `query:name` or,
    with `envelope`, `pair:name`. Keys in `secrets` go before those that could be fetched.
    """

    header: str
    """Where the signature stands; a parameter, a form field where `where` says so."""
    algorithm: Algorithm = "rsa-sha256"
    message: str = "{body}"
    encoding: Writing = "base64"
    prefix: str = ""
    where: str = "header"
    """`header`, `query`, `form`, or `body:` and a JMESPath."""
    envelope: Callable[[str], Mapping[str, str]] | None = field(default=None, compare=False)
    """Opens a header that holds more than a signature; the signature is then `signature`, other
    values stand at `pair:name`. Raises Unreadable. See json64."""
    time: str = ""
    """The place of the time of signing."""
    unit: Unit = "s"
    id: str = ""
    """The place of the id that is signed along."""
    key_id: str = ""
    """The place of the key's name; the key is then chosen by it and by nothing else."""
    ecdsa: Literal["der", "raw"] = "der"
    canonical: Canonical | None = field(default=None, compare=False)
    """Makes the signed bytes where no template can."""
    fetched: str | Fetched | None = field(default=None, compare=False)
    """Where the keys are, if not in `secrets`."""
    document: Callable[[bytes], Sequence[Key]] = field(default=material.read, compare=False)
    """Takes the keys out of a fetched document; raises material.NoKey."""
    authorized: bool = False
    """Whether the key server asks for the source's `token`."""
    token_header: str = ""
    """The header it asks for it in, as it stands; empty: as a bearer token."""
    rotates: bool = False
    """Whether another key may come to stand behind the same address, with nothing to tell it by."""
    what: str = "the sender's public key"
    body: bool = True
    """Whether an empty body may be signed."""

    @property
    def summary(self) -> str:
        signed = "canonical fields" if self.canonical else self.message
        return f"{NAMES[self.algorithm]} of {signed}"

    def guard(self, source: Source) -> Guard:
        """Take the source's keys; raises ConfigurationError where they cannot be used."""
        chain = Keychain.of(
            source,
            self.what,
            fetched=self.fetched,
            authorized=self.authorized,
            header=self.token_header,
            read=self.document,
        )
        for key in chain.held:
            if not asymmetric.suits(key.public, self.algorithm):
                raise ConfigurationError(
                    f"A key of the source {source.name} is not for {NAMES[self.algorithm]}; "
                    f"put {self.what} there."
                )
        return _Signed(self, chain, Template.of(self.message), source)


NAMES: Mapping[Algorithm, str] = {
    "rsa-sha256": "RSA-SHA256",
    "rsa-sha384": "RSA-SHA384",
    "rsa-sha512": "RSA-SHA512",
    "rsa-sha1": "RSA-SHA1",
    "rsa-pss-sha256": "RSA-PSS-SHA256",
    "rsa-pss-sha512": "RSA-PSS-SHA512",
    "ecdsa-sha256": "ECDSA-SHA256",
    "ecdsa-sha384": "ECDSA-SHA384",
    "ecdsa-sha512": "ECDSA-SHA512",
    "ecdsa-sha1": "ECDSA-SHA1",
    "ed25519": "Ed25519",
}


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a request says about itself."""

    signature: bytes
    messages: Sequence[bytes]
    key_id: str | None = None
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class _Signed(Guard):
    """Judges the requests of one source."""

    scheme: PublicKey
    chain: Keychain
    template: Template
    source: Source = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        claim = self._claim(request, now=now)
        if isinstance(claim, Forged):
            signing.decoy(request, now=now)
            return claim
        found = self.chain.find(request, claim.key_id, keys)
        if not isinstance(found, Found):
            return found
        if not self._is_signed(claim, found.keys):
            return self._mismatch(claim, found)
        if claim.skew is not None and abs(claim.skew) > self.source.tolerance:
            return signing.stale(claim.skew, self.source.tolerance)
        return Genuine()

    def _is_signed(self, claim: _Claim, keys: Sequence[Key]) -> bool:
        algorithm, shape = self.scheme.algorithm, self.scheme.ecdsa
        return any(
            asymmetric.is_signed(key.public, algorithm, claim.signature, message, shape=shape)
            for key in keys
            for message in claim.messages
        )

    def _mismatch(self, claim: _Claim, found: Found) -> Verification:
        refused = signing.mismatch(1, len(found.keys), claim.skew)
        newer = found.newer(refused.reason) if self.scheme.rotates else None
        return newer or refused

    def _claim(self, request: RawRequest, *, now: datetime) -> _Claim | Forged:
        if not (request.body or self.scheme.body):
            return Forged("The body is empty; nothing to sign.")
        try:
            opened = self._open(request)
            if isinstance(opened, Forged):
                return opened
            text, pairs = opened
            return self._read(request, text, pairs, now=now)
        except Unreadable as why:
            return Forged(str(why))

    def _open(self, request: RawRequest) -> tuple[str, Mapping[str, str]] | Forged:
        """Find the signature, and what else its header holds."""
        text = signature(self.scheme.where, self.scheme.header, request)
        if isinstance(text, Forged):
            return text
        if self.scheme.envelope is None:
            return text, {}
        pairs = self.scheme.envelope(text)
        return pairs.get("signature", ""), pairs

    def _read(
        self, request: RawRequest, text: str, pairs: Mapping[str, str], *, now: datetime
    ) -> _Claim | Forged:
        given = self._given(request, pairs)
        if isinstance(given, Forged):
            return given
        when, name, key_id = given
        skew = templates.skew(when, self.scheme.unit, now=now) if self.scheme.time else None
        if self.scheme.time and skew is None:
            return Forged(f"The time of signing at {self.scheme.time} is not one.")
        raw = unwritten(text.removeprefix(self.scheme.prefix), self.scheme.encoding)
        if raw is None or not text.startswith(self.scheme.prefix):
            return Forged(f"{self.scheme.header} carries no signature in {self.scheme.encoding}.")
        messages = self._messages(request, when, name)
        return messages if isinstance(messages, Forged) else _Claim(raw, messages, key_id, skew)

    def _given(
        self, request: RawRequest, pairs: Mapping[str, str]
    ) -> tuple[str, str, str | None] | Forged:
        """Take time, id and the key's name from their places."""
        pair = partial(_pair, pairs)
        found: list[str] = []
        for place in (self.scheme.time, self.scheme.id, self.scheme.key_id):
            value = templates.find(place, request, pairs=pair) if place else ""
            if isinstance(value, Forged):
                return value
            found.append(value)
        when, name, key_id = found
        if len(key_id) > material.MAX_ID:
            return Forged("The key id is too long to be one.", cause=Cause.UNKNOWN_KEY)
        return when, name, key_id if self.scheme.key_id else None

    def _messages(self, request: RawRequest, when: str, name: str) -> Sequence[bytes] | Forged:
        if self.scheme.canonical is None:
            options = templates.options(self.source)
            filling = Filling(when, name, request.url, options)
            message = self.template.write(request, filling)
        else:
            made = self.scheme.canonical(request)
            if not isinstance(made, bytes):
                return tuple(made)[:MAX_READINGS]
            message = made
        return message if isinstance(message, Forged) else (message,)


def _pair(pairs: Mapping[str, str], name: str) -> str | Forged:
    return pairs.get(name) or Forged(f"The signature's header names no {name}.")


def signature(where: str, name: str, request: RawRequest) -> str | Forged:
    """Find the text of a signature, at one place and once."""
    kind, _, path = where.partition(":")
    match kind:
        case "header" | "query":
            return templates.find(f"{kind}:{name}", request)
        case "form":
            return _text(bodies.read_form(request.body), Path.of(f'"{name}"'), name)
        case "body":
            return _text(mapping.read(request.body), Path.of(path), path)
        case _:
            raise ValueError(f"{where!r} is no place of a signature.")


def _text(document: JSON, path: Path, place: str) -> str | Forged:
    found = path.find(document)
    if not isinstance(found, str) or not found:
        return Forged(f"The body carries no signature at {place}.", cause=Cause.MISSING)
    if len(found) > signing.MAX_HEADER:
        return Forged(f"The signature at {place} is longer than {signing.MAX_HEADER} bytes.")
    return found


def json64(header: str) -> Mapping[str, str]:
    """Open a header of base64 over a JSON object of texts; raises Unreadable."""
    raw = unwritten(header, "base64")
    try:
        document = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        raise Unreadable("The signature's header is not base64 of JSON.") from None
    if not isinstance(document, dict):
        raise Unreadable("The signature's header is no JSON object.")
    return {name: value for name, value in document.items() if isinstance(value, str)}
