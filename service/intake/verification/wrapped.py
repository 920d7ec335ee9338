"""Bodies in another writing than we read: a scheme and a source come in, a guard that opens out."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

import orjson

from service.intake.preset import Scheme
from service.intake.provider import (
    NO_KEYS,
    Guard,
    Keys,
    RawRequest,
    Reply,
    Verification,
)
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import hashes
from service.intake.verification.writings import unwritten
from service.settings import Source

Unwrap = Callable[[bytes], bytes]
"""Makes JSON of a body; raises Unreadable."""


@dataclass(frozen=True, slots=True)
class Wrapped:
    """A sender that proves itself by `scheme`, over a body that is only then unwrapped."""

    scheme: Scheme
    unwrap: Unwrap = field(compare=False)

    @property
    def summary(self) -> str:
        return self.scheme.summary

    def guard(self, source: Source) -> Guard:
        return _Wrapped(self.scheme.guard(source), self.unwrap)


@dataclass(frozen=True, slots=True)
class _Wrapped(Guard):
    proof: Guard
    unwrap: Unwrap

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        return self.proof.verify(request, now=now, keys=keys)

    def redact(self, request: RawRequest) -> RawRequest:
        return self.proof.redact(request)

    def open(self, request: RawRequest) -> RawRequest:
        opened = self.proof.open(request)
        return replace(opened, body=self.unwrap(opened.body))

    def greet(self, request: RawRequest) -> Reply | None:
        return self.proof.greet(request)

    def answer(self, request: RawRequest) -> Reply | None:
        return self.proof.answer(request)


@dataclass(frozen=True, slots=True)
class FormOrJson:
    """A sender that posts forms or JSON as it was told to, each with a proof of its own."""

    form: Scheme
    json: Scheme

    @property
    def summary(self) -> str:
        return self.json.summary

    def guard(self, source: Source) -> Guard:
        return _FormOrJson(self.form.guard(source), self.json.guard(source))


@dataclass(frozen=True, slots=True)
class _FormOrJson(Guard):
    form: Guard
    json: Guard

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        proof = self.json if is_json(request.body) else self.form
        return proof.verify(request, now=now, keys=keys)


def is_json(body: bytes) -> bool:
    return body.lstrip().startswith(b"{")


def form_or_json(body: bytes) -> bytes:
    """Write a form as a JSON object of texts; what is JSON already stays."""
    if is_json(body):
        return body
    if not body:
        raise Unreadable("The body is empty.")
    return orjson.dumps(hashes.form(body))


def enclosed(text: JSON) -> bytes:
    """Open base64 in a field."""
    raw = unwritten(text, "base64") if isinstance(text, str) else None
    if raw is None:
        raise Unreadable("The field `data` holds no base64.")
    return raw
