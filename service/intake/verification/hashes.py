"""Hashes over chosen fields of a body, as data: a scheme and secrets come in, a guard goes out."""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, assert_never
from urllib.parse import unquote_to_bytes

from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, Keys, RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.intake.verification import keyring, signing, templates
from service.intake.verification.keyring import Spelling
from service.intake.verification.signing import Algorithm, Encoding
from service.intake.verification.templates import Filling, Template
from service.settings import Source

Compose = Callable[[Mapping[str, JSON], bytes], bytes]
"""(fields, secret) -> the hashed bytes. A number comes as the text the sender wrote, so `text`
writes every scalar as it was. Raises Unreadable where a field it needs is missing."""
MAX_FIELDS = 1000
STRETCH = 65_536


@dataclass(frozen=True, slots=True)
class Fields:
    """A sender that hashes fields of the body, the secret among them or (keyed) as the key."""

    where: Literal["form", "json"]
    signature: str
    """The field with the signature; in JSON it may be a path: `additionalData.hmacSignature`."""
    algorithm: Algorithm = "sha256"
    compose: Compose = field(kw_only=True, compare=False)
    keyed: bool = False
    encoding: Encoding = "hex"
    exclude: tuple[str, ...] = ()
    """Fields, besides the signature, that `compose` does not get."""
    items: str = ""
    """The path of a list whose every item carries its own signature; all must be right."""
    key: Spelling = "text"
    pick: Callable[[str], Sequence[str]] | None = field(default=None, compare=False)
    """Takes the signatures out of the field's text, where it holds more than the one."""
    derive: Callable[[bytes], bytes] | None = field(default=None, compare=False)
    """Makes the key of a secret, where the sender does not take it as it stands."""
    what: str = "the webhook's secret"

    @property
    def summary(self) -> str:
        kind = f"HMAC-{self.algorithm.upper()}" if self.keyed else self.algorithm.upper()
        secret = "" if self.keyed else " and the secret"
        each = " of each item" if self.items else ""
        return f"{kind} of fields{secret}{each}, {self.encoding}"

    def guard(self, source: Source) -> "Composed":
        keys = keyring.keys(source, self.what, self.key)
        return Composed(
            rule=self,
            secrets=tuple(map(self.derive, keys)) if self.derive else keys,
            signature=Path.of(self.signature),
            items=Path.of(self.items) if self.items else None,
        )


@dataclass(frozen=True, slots=True)
class Composed(Guard):
    """Judges requests by the secrets of one source."""

    rule: Fields
    secrets: Sequence[bytes] = field(repr=False)
    signature: Path
    items: Path | None

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        try:
            whole = document(self.rule.where, request.body)
            judged = [self._judge(each) for each in self._split(whole)]
        except Unreadable as why:
            signing.decoy(request, now=now)
            return Forged(str(why))
        return next((each for each in judged if isinstance(each, Forged)), Genuine())

    def _split(self, whole: JSON) -> Sequence[JSON]:
        if self.items is None:
            return [whole]
        found = self.items.find(whole)
        # Of no items, all would be right.
        if not isinstance(found, list) or not 1 <= len(found) <= mapping.MAX_ITEMS:
            place, limit = self.items.expression, mapping.MAX_ITEMS
            raise Unreadable(f"The body carries no list of 1 to {limit} items at {place}.")
        return found

    def _judge(self, item: JSON) -> Genuine | Forged:
        if not isinstance(item, dict):
            raise Unreadable("What must be signed is not an object of fields.")
        found = self._signatures(item)
        if isinstance(found, Forged):
            return found
        hidden = {self.rule.signature, *self.rule.exclude}
        fields = {name: value for name, value in item.items() if name not in hidden}
        expected = [self._hash(fields, secret) for secret in self.secrets]
        if signing.agrees(expected, found):
            return Genuine()
        return signing.mismatch(len(found), len(self.secrets))

    def _signatures(self, item: dict[str, JSON]) -> list[bytes] | Forged:
        rule, limit = self.rule, signing.MAX_CANDIDATES
        text = item.get(rule.signature) if rule.where == "form" else self.signature.find(item)
        if not isinstance(text, str) or not text:
            why = f"The field {rule.signature} is missing."
            return Forged(why, cause=Cause.MISSING)
        if len(text) > signing.MAX_HEADER:
            return Forged(f"The field {rule.signature} is longer than {signing.MAX_HEADER} bytes.")
        found = rule.pick(text) if rule.pick else [text]
        if not 1 <= len(found) <= limit:
            why = f"{rule.signature} carries {len(found)} signatures, not 1 to {limit}."
            return Forged(why, cause=Cause.MALFORMED if found else Cause.MISSING)
        return [signing.plain(each, rule.encoding) for each in found]

    def _hash(self, fields: Mapping[str, JSON], secret: bytes) -> bytes:
        rule = self.rule
        message = rule.compose(fields, secret)
        if rule.keyed:
            return signing.spelled(hmac.digest(secret, message, rule.algorithm), rule.encoding)
        return _hashed(message, rule.algorithm, rule.encoding)


def _hashed(message: bytes, algorithm: Algorithm, encoding: Encoding) -> bytes:
    return signing.spelled(hashlib.new(algorithm, message).digest(), encoding)


_DIGITS = json.JSONDecoder(parse_int=str, parse_float=str)


def document(where: Literal["form", "json"], body: bytes) -> JSON:
    """Read the fields, each as text the sender wrote; raises Unreadable."""
    match where:
        case "form":
            return form(body)
        case "json":
            # Judged by the strict reader first, then read for the digits of its numbers.
            mapping.read(body)
            found: JSON = _DIGITS.decode(body.decode())
            return found
        case other:
            assert_never(other)


def form(body: bytes) -> dict[str, JSON]:
    """Read application/x-www-form-urlencoded; a name that comes twice is refused."""
    text = body.rstrip(b"\r\n").decode("latin-1")
    if not (text.isascii() and text.isprintable()):
        raise Unreadable(_NO_FORM)
    pieces = text.split("&", MAX_FIELDS) if text else []
    if len(pieces) > MAX_FIELDS or not all("=" in piece for piece in pieces):
        raise Unreadable(_NO_FORM)
    split = (piece.split("=", 1) for piece in pieces)
    try:
        pairs = [(_decoded(name), _decoded(value)) for name, value in split]
    except UnicodeError:
        raise Unreadable(_NO_FORM) from None
    fields: dict[str, JSON] = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("A field of the form was sent twice; only once is safe.")
    return fields


def _decoded(text: str) -> str:
    """Decode percents a stretch at a time: all at once they take seventy times their size."""
    whole, plain, at = text.replace("+", " ").encode("ascii"), bytearray(), 0
    while at < len(whole):
        # An escape is three bytes, and must not be cut.
        end = whole.find(b"%", at + STRETCH - 2, at + STRETCH)
        end = at + STRETCH if end < 0 else end
        plain += unquote_to_bytes(whole[at:end])
        at = end
    return plain.decode("utf-8", "strict")


_NO_FORM = f"The body is not a form of at most {MAX_FIELDS} fields in percent-encoding."


def text(value: JSON) -> str:
    """Write a scalar as senders hash it: true, false, nothing for null; raises Unreadable."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str() | int() | float():
            return str(value)
        case _:
            raise Unreadable("A field that is hashed holds a list or an object.")


def scalars(fields: Mapping[str, JSON]) -> dict[str, str]:
    """Take the fields that are no lists and no objects, as texts, in the order of their names."""
    kept = {name: value for name, value in fields.items() if not isinstance(value, dict | list)}
    return {name: text(kept[name]) for name in sorted(kept)}


@dataclass(frozen=True, slots=True)
class Digest:
    """A sender that hashes a message with the secret in it, as `{body}/{secret}`; no HMAC.

    The message is a template (see templates.Template) of body, path and headers.
    """

    header: str
    message: str
    algorithm: Algorithm = "sha256"
    encoding: Encoding = "hex"
    what: str = "the webhook's secret"

    @property
    def summary(self) -> str:
        return f"{self.algorithm.upper()} with the secret in it, {self.encoding}"

    def guard(self, source: Source) -> "Digested":
        parts = [Template.of(part) for part in self.message.split("{secret}")]
        if len(parts) < 2:
            raise ValueError("A hash without the {secret} in it proves nothing.")
        secrets = keyring.plain(source, self.what)
        return Digested(
            self,
            secrets,
            parts,
            Filling(url=templates.address(source), options=templates.options(source)),
        )


@dataclass(frozen=True, slots=True)
class Digested(Guard):
    """Judges requests by the secrets of one source."""

    rule: Digest
    secrets: Sequence[bytes] = field(repr=False)
    parts: Sequence[Template]
    """What stands around the secret."""
    filling: Filling

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        judged = self._judge(request)
        if isinstance(judged, Forged):
            signing.decoy(request, now=now)
        return judged

    def _judge(self, request: RawRequest) -> Genuine | Forged:
        rule = self.rule
        header = signing.single(request, rule.header)
        if isinstance(header, Forged):
            return header
        around: list[bytes] = []
        for part in self.parts:
            written = part.write(request, self.filling)
            if isinstance(written, Forged):
                return written
            around.append(written)
        messages = (secret.join(around) for secret in self.secrets)
        expected = [_hashed(each, rule.algorithm, rule.encoding) for each in messages]
        if signing.agrees(expected, [signing.plain(header, rule.encoding)]):
            return Genuine()
        return signing.mismatch(1, len(self.secrets))
