"""What a sample tells of, and what all samples are written with."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Protocol, TypeVar

from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.intake.reading.paths import JSON
from service.sandbox.senders import bodies
from service.settings import Secret, Source

Object = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a sample is about; equal occasions give equal bytes."""

    order: str
    at: datetime
    key: str
    """The sender's own id of the event; the same id again is a duplicate."""
    amount: Decimal = Decimal("149.90")
    currency: str = "EUR"


Sample = Callable[[Source, Occasion], bytes]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of a body: when, under which id of the sender, and which sample it is."""

    at: datetime
    key: str = ""
    sample: str = ""
    """Some senders say in a header what the body is about; empty where a body was given."""
    base: str = "https://hooks.example.com"
    """The public listener as its senders know it; some sign the address they post to."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The two ends of one key: what the sender signs with, and what the source knows."""

    sign_with: Secret
    verify_with: Secret | None
    """None where the source knows the key only by its address."""
    documents: Mapping[str, bytes] = field(default_factory=dict)
    """What stands behind the addresses of keys while this one is in use."""
    besides: tuple[Secret, ...] = ()
    """Secrets both ends need besides, such as the key of a cipher."""


def text(word: str) -> Pair:
    """A text that both ends share; it also reads as user and password."""
    return shared(f"user:secret-{word}")


def shared(spelling: str) -> Pair:
    secret = Secret.plain(spelling)
    return Pair(secret, secret)


class Prove(Protocol):
    """Adds what proves the sender to what it is about to post; signs with the first secret."""

    def __call__(
        self, source: Source, draft: SignedRequest, delivery: Delivery, /
    ) -> SignedRequest: ...


@dataclass(frozen=True, slots=True)
class Signer:
    """How a simulated sender proves itself, and what may be expected of its requests."""

    prove: Prove
    proof_at: str
    """Where the proof stands: `header:NAME`, `query:NAME`, `body:JMESPATH`, `form:NAME`, `url`, or
    `whole`: the body is the proof."""
    also: tuple[str, ...] = ()
    """Other places it signs, written likewise: a change there must be noticed."""
    signs_body: bool = True
    timed: bool = False
    """Whether it signs a time, so that old and future requests are refused."""
    keys: Callable[[str], Pair] = text
    """Makes keys for tests: other ones for other words, the same ones for the same word."""


Dress = Callable[[Source, bytes, Delivery], SignedRequest]


def as_json(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    return SignedRequest({"Content-Type": "application/json"}, body)


def as_form(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    return SignedRequest({"Content-Type": "application/x-www-form-urlencoded"}, body)


def as_xml(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    return SignedRequest({"Content-Type": "application/xml"}, body)


@dataclass(frozen=True, slots=True)
class Sender:
    """One simulated sender."""

    provider: str
    signer: Signer
    samples: Mapping[str, Sample]
    """What makes a sample's body for a source, by the sample's name."""
    usual: str
    """The sample that stands for all of them."""
    dress: Dress = as_json
    """Puts a body into a request, with all headers but the proof."""
    rules: Mapping[str, JsonValue] = field(default_factory=dict)
    """What a source of this provider must be configured with, besides secrets."""

    def sign(self, source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
        return self.signer.prove(source, self.dress(source, body, delivery), delivery)


Word = TypeVar("Word")


def told(
    make: Callable[[Word, Occasion], JSON],
    words: Mapping[str, Word],
    *,
    ref: str = "",
    form: str = "json",
) -> Mapping[str, Sample]:
    """Make a sample of each word: the document `make` writes, posted as `json`, `form` or `xml`.

    With `ref` the order number is put there (a plain JMESPath), else `make` writes it itself; a
    source that looks for it elsewhere gets it there too.
    """

    def sample(word: Word, source: Source, occasion: Occasion) -> bytes:
        document, place = make(word, occasion), source.subject.ref or ref
        if place and isinstance(document, dict):
            put(document, place, occasion.order)
        return bodies.write(form, document)

    return {name: partial(sample, word) for name, word in words.items()}


def token(prefix: str, text: str) -> str:
    """Make an id up that looks random and is always the same."""
    return f"{prefix}{hashlib.sha256(text.encode()).hexdigest()[:24]}"


_STEP = r'(?:[A-Za-z_]\w*|"[^"\\]+")'
_STEPS = re.compile(rf"{_STEP}(?:\.{_STEP})*")


def put(document: Object, expression: str, value: JSON) -> None:
    """Write a value where a plain JMESPath (the first of several joined by ||) will find it."""
    path = expression.split("||", maxsplit=1)[0].strip()
    if _STEPS.fullmatch(path) is None:
        raise ConfigurationError(
            f"No sample can be made for the JMESPath {expression!r}; send a body of your own."
        )
    *parents, last = (step.strip('"') for step in re.findall(_STEP, path))
    for step in parents:
        inner = document.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"Two paths of the source meet at {step!r} of {path!r}.")
        document = inner
    document[last] = value
