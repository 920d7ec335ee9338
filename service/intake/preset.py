"""A kind of sender: what people are told of it, and how one configured source of it is built."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from service.domain.events import Lookup, Statement
from service.intake.provider import (
    NO_KEYS,
    Guard,
    Inquiry,
    Keys,
    Provider,
    RawRequest,
    Reply,
    Verification,
)
from service.intake.reading import mapping
from service.intake.reading.layout import Layout
from service.intake.reading.mapping import Unreadable
from service.intake.reading.reader import Reader
from service.settings import Source

Category = Literal[
    "payments", "shop", "warehouse", "courier", "telematics", "erp", "back office", "crm", "any"
]


@dataclass(frozen=True, slots=True)
class Proof:
    """Whose code but ours agrees with our verification, and how a person can see it.

    `sdk`: the vendor's own code signs what we verify; `vector`: the vendor published a signed
    request; `foreign`: independent code of others does; `none`: only its documentation was read.
    """

    kind: Literal["sdk", "vector", "foreign", "none"]
    by: str


@dataclass(frozen=True, slots=True)
class Preset:
    """One kind of sender."""

    name: str
    title: str
    category: Category
    setup: str
    """What a person does on the sender's side, step by step."""
    build: Callable[[Source], Provider]
    """Raises ConfigurationError when the source cannot be judged or read as configured."""
    scheme: str
    """How it proves itself, as a phrase: `HMAC-SHA256 of time and body`."""
    identity: str
    """What makes two requests the same event, as a phrase: `the event's id`."""
    proof: Proof
    doubts: tuple[str, ...] = ()
    """Facts nobody could verify, each with what to confirm on a live delivery, as sentences."""
    url_token: bool = False
    """Whether a secret in the URL proves who sends, in place of what signs."""
    keyless: bool = False
    """Whether its public keys are fetched, so that `secrets` may be empty."""
    api: str = ""
    """Where its own API is, unless the source says otherwise."""
    options: tuple[str, ...] = ()
    """What a source may set under `options`."""
    mapped: bool = False
    """Whether the source's own mapping (status, statuses, …) reads the body."""
    asks: bool = False
    """Whether its events only point at objects, so that the source needs `token` to ask."""


class Scheme(Protocol):
    """How a kind of sender proves itself, as data."""

    @property
    def summary(self) -> str:
        """A phrase for lists."""
        ...

    def guard(self, source: Source) -> Guard:
        """Take the source's secrets; raises ConfigurationError where they cannot be used."""
        ...


class Reads(Protocol):
    def read(self, request: RawRequest) -> Sequence[Statement]: ...


@dataclass(frozen=True, slots=True)
class Manners:
    """What a kind of sender expects besides the usual 202."""

    refusal: int = 401
    answer: Reply | None = None
    greet: Callable[[RawRequest], Reply | None] | None = None
    """Answers its test of the address; see Provider.handshake."""
    inquire: Callable[[Lookup], Inquiry | None] | None = None


PLAIN = Manners()


@dataclass(frozen=True, slots=True)
class Declared(Provider):
    """A configured sender made of a guard, a reader and manners.

    Odd senders derive from it and override the one thing they do otherwise.
    """

    guard: Guard
    reader: Reads
    manners: Manners = PLAIN

    @property
    def refusal(self) -> int:
        return self.manners.refusal

    def handshake(self, request: RawRequest) -> Reply | None:
        greeting = self.manners.greet(request) if self.manners.greet else None
        return greeting or self.guard.greet(request)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        return self.guard.verify(request, now=now, keys=keys)

    def redact(self, request: RawRequest) -> RawRequest:
        return self.guard.redact(request)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        try:
            # What was fetched is no webhook: nobody signed or sealed it.
            opened = request if request.method == "GET" else self.guard.open(request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        return self.reader.read(opened)

    def acknowledge(self, request: RawRequest) -> Reply | None:
        return self.manners.answer or self.guard.answer(request)

    def inquire(self, lookup: Lookup) -> Inquiry | None:
        return self.manners.inquire(lookup) if self.manners.inquire else None


def declared(
    scheme: Scheme, layout: Layout, manners: Manners = PLAIN
) -> Callable[[Source], Provider]:
    """Make the builder of a sender that is all data."""

    def build(source: Source) -> Provider:
        return Declared(scheme.guard(source), Reader.of(layout, source), manners)

    return build
