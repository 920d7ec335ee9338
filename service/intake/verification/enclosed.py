"""Secrets that stand in the body itself: raw requests in, judgements and cleaned requests out."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal, assert_never
from urllib.parse import unquote_plus

import orjson

from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, Keys, RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import Path
from service.intake.verification import signing

REDACTED = "redacted"
"""Stands where a secret stood, so that a replay finds the rest in its place."""

MAX_FIELDS = 1000
_TEXT = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)

Where = Literal["form", "json"]


@dataclass(frozen=True, slots=True)
class Enclosed(Guard):
    """Judges requests by a secret of one source that the body carries."""

    where: Where
    place: Path
    """The name of a form's field, or a JMESPath."""
    also: Sequence[Path]
    """Places of other secrets, which prove nothing but must not be kept either."""
    secrets: Sequence[bytes] = field(repr=False)

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        offered = self._offer(request.body)
        if isinstance(offered, Forged):
            signing.decoy(request, now=now)
            return offered
        if signing.known(self.secrets, signing.raw(offered)):
            return Genuine()
        why = f"The secret in the body is none of the {len(self.secrets)} configured."
        return Forged(why, cause=Cause.WRONG_SECRET)

    def redact(self, request: RawRequest) -> RawRequest:
        """Take the secrets out of the body; all else stays byte for byte."""
        match self.where:
            case "form":
                names = {self.place.expression, *(each.expression for each in self.also)}
                return replace(request, body=_without_fields(request.body, names))
            case "json":
                return replace(request, body=self._without_texts(request.body))
            case other:
                assert_never(other)

    def _offer(self, body: bytes) -> str | Forged:
        found = self._in_form(body) if self.where == "form" else self._in_json(body)
        if isinstance(found, str) and len(found) > signing.MAX_HEADER:
            return Forged(f"{self.place.expression} is longer than {signing.MAX_HEADER} bytes.")
        return found

    def _in_form(self, body: bytes) -> str | Forged:
        name = self.place.expression
        values = [value for key, value in _fields(body) if key == name]
        if len(values) == 1:
            return values[0]
        if not values:
            return Forged(f"The form carries no {name}.", cause=Cause.MISSING)
        why = f"{name} was sent {len(values)} times; only once is safe."
        return Forged(why, cause=Cause.REPEATED)

    def _in_json(self, body: bytes) -> str | Forged:
        try:
            found = self.place.find(mapping.read(body))
        except Unreadable as error:
            return Forged(str(error))
        if isinstance(found, str):
            return found
        why = f"The body carries no secret at {self.place.expression}."
        return Forged(why, cause=Cause.MISSING)

    def _without_texts(self, body: bytes) -> bytes:
        try:
            document = mapping.read(body)
        except Unreadable:
            return body
        found = [each.find(document) for each in (self.place, *self.also)]
        secrets = {each for each in found if isinstance(each, str) and each}
        return _TEXT.sub(lambda text: _hidden(text[0], secrets), body) if secrets else body


def _hidden(text: bytes, secrets: set[str]) -> bytes:
    """A text is compared as it reads, however it is escaped."""
    return orjson.dumps(REDACTED) if orjson.loads(text) in secrets else text


def _fields(body: bytes) -> Iterator[tuple[str, str]]:
    """Read the fields of a form; a body of more than there may be has none."""
    pieces = body.rstrip(b"\r\n").split(b"&", MAX_FIELDS)
    for piece in pieces if len(pieces) <= MAX_FIELDS else ():
        name, _, value = piece.decode("latin-1").partition("=")
        yield unquote_plus(name), unquote_plus(value)


def _without_fields(body: bytes, names: set[str]) -> bytes:
    pieces = body.split(b"&")
    return b"&".join(
        name + b"=" + REDACTED.encode() if unquote_plus(name.decode("latin-1")) in names else piece
        for piece in pieces
        for name in [piece.partition(b"=")[0]]
    )
