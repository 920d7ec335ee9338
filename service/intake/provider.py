"""What a provider is: pure functions from a raw request to a verdict on it and its statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import parse_qsl
from uuid import UUID

from service.domain.events import Lookup, Statement
from service.domain.refusals import Cause


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request as received: nothing decoded, nothing trusted."""

    method: str
    path: str
    """As on the wire, with the query string cut off."""
    query: str = field(repr=False)
    headers: Sequence[tuple[str, str]] = field(repr=False)
    """In wire order, names in lower case, values undecoded (latin-1 / surrogate-escaped)."""
    body: bytes = field(repr=False)
    received_at: datetime
    peer: str = ""
    tail: str = ""
    """The rest of the path after the source's name, decoded; for some senders the event kind."""
    id: UUID | None = None
    """Names the request in the log and in the answer."""
    url: str = ""
    """The address the sender posted to, as the configuration has it; some senders sign it."""

    def header(self, name: str) -> str | None:
        """The value of a header sent exactly once; None when absent or sent twice."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key == wanted]
        return values[0] if len(values) == 1 else None

    def parameter(self, name: str) -> str | None:
        """The value of a query parameter sent exactly once; None when absent or sent twice."""
        values = [value for key, value in parameters(self.query) if key == name]
        return values[0] if len(values) == 1 else None


MAX_PARAMETERS = 64


def parameters(query: str) -> list[tuple[str, str]]:
    """The parameters of a query string, decoded; none where there are too many to be meant."""
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError:
        return []


@dataclass(frozen=True, slots=True)
class Inquiry:
    """A question to the sender's API, asked by a worker with the source's `token`."""

    path: str
    """Below the source's `api` address; `{token}` stands for the source's `token`."""
    query: str = ""
    authorization: str = field(default="Bearer {token}", repr=False)
    """The header Authorization; `{token64}` is the token in base64. Empty: none is sent."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender reads."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Genuine:
    """The sender holds a key of this source."""


@dataclass(frozen=True, slots=True)
class Forged:
    """Not from this sender, as far as can be told. `reason` is never shown to the peer."""

    reason: str
    skew: timedelta | None = None
    """Sender's clock minus ours, where the request carried a time."""
    cause: Cause = Cause.MALFORMED
    """What people are told to do about it."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Cannot be judged now (a key server is away); the sender should come back."""

    reason: str
    retry_after: timedelta


@dataclass(frozen=True, slots=True)
class Wanted:
    """Cannot be judged without a public key from the network; fetched, it is judged once more."""

    url: str
    """https, and of a host this provider trusts."""
    authorized: bool = False
    """Whether the source's `token` must be shown."""
    header: str = ""
    """The header it is shown in as it stands; empty: as a bearer token."""
    lacking: str = ""
    """What the document in `keys` lacks, as a sentence, where a newer one may have it."""
    useless: bool = False
    """Whether that document is nothing of the kind, so that nobody can be judged by it."""


Keys = Mapping[str, bytes]
"""What was fetched: the document behind each URL."""

NO_KEYS: Keys = {}

Judgement = Genuine | Forged | Undecided
Verification = Judgement | Wanted


class Guard(Protocol):
    """How one configured source is told from a forger."""

    __slots__ = ()

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        """Judge the raw bytes in constant time against every active secret."""
        ...

    def redact(self, request: RawRequest) -> RawRequest:
        """Take the secrets out that the request itself carried."""
        return request

    def open(self, request: RawRequest) -> RawRequest:
        """Decrypt the body; raises Unreadable where that fails. Most bodies are open."""
        return request

    def greet(self, request: RawRequest) -> Reply | None:
        """Answer the sender's test of the address where that takes the secrets."""
        return None

    def answer(self, request: RawRequest) -> Reply | None:
        """Answer an accepted request where that takes the secrets; pure like all the rest."""
        return None


class Provider(Protocol):
    """One configured sender. All methods are pure: no IO, no clock, no randomness, no logging.

    A provider names this class as its base and overrides what its sender does otherwise; it must
    say how to verify and how to parse.
    """

    __slots__ = ()

    @property
    def refusal(self) -> int:
        """The status of a refused request; another where 401 would end the subscription."""
        return 401

    def handshake(self, request: RawRequest) -> Reply | None:
        """Answer the sender's test of this address; None where the request is no such test.

        Asked before verification, with any of the methods GET, HEAD, OPTIONS and POST, so it must
        be cheap, answer with a bounded text made of the request and the settings alone, and never
        raise. Nothing is stored. `replies` makes its answers.
        """
        return None

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        """Judge the raw bytes in constant time against every active secret.

        `keys` holds what was fetched from the network; who needs more answers `Wanted`.
        """
        ...

    def redact(self, request: RawRequest) -> RawRequest:
        """Take the secrets out that the request itself carried; the rest is parsed and stored."""
        return request

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        """Find the statements of a genuine request; never raises for anything a sender can send.

        What cannot be read becomes one statement of fate `unreadable` whose dedupe key is the
        SHA-256 of the body, in hex. The request is the redacted one, as a replay will see it.
        """
        ...

    def acknowledge(self, request: RawRequest) -> Reply | None:
        """The exact answer to an accepted request this sender demands; None for the usual 202."""
        return None

    def inquire(self, lookup: Lookup) -> Inquiry | None:
        """What to ask the sender about the object of a thin event; None where it cannot be asked.

        The answer is read by `parse`, as the body of a request of method GET and the inquiry's
        own path and query; a `lookup` in it is not followed again.
        """
        return None


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a simulated sender posts."""

    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    tail: str = ""
    """What follows the source's name in the path."""
    query: str = ""
