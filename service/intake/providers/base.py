"""What a provider is: pure functions from a raw request to a verdict on it and its statements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from service.domain.events import Statement


@dataclass(frozen=True, slots=True)
class RawRequest:
    """One HTTP request as received: nothing decoded, nothing trusted."""

    method: str
    path: str
    """As on the wire, with the query string cut off."""
    query: str
    headers: Sequence[tuple[str, str]]
    """In wire order, names in lower case, values undecoded (latin-1 / surrogate-escaped)."""
    body: bytes
    received_at: datetime
    peer: str = ""
    tail: str = ""
    """The rest of the path after the source's name, decoded; for some senders the event kind."""
    id: UUID | None = None
    """Names the request in the log and in the answer."""

    def header(self, name: str) -> str | None:
        """The value of a header sent exactly once; None when absent or sent twice."""
        values = [value for key, value in self.headers if key == name.lower()]
        return values[0] if len(values) == 1 else None


@dataclass(frozen=True, slots=True)
class Genuine:
    """The sender holds a key of this source."""


@dataclass(frozen=True, slots=True)
class Forged:
    """Not from this sender, as far as can be told. `reason` is never shown to the peer."""

    reason: str
    skew: timedelta | None = None
    """Sender's clock minus ours, where the request carried a time."""


@dataclass(frozen=True, slots=True)
class Undecided:
    """Cannot be judged now (a key server is away); the sender should come back."""

    reason: str
    retry_after: timedelta


Verification = Genuine | Forged | Undecided


class Provider(Protocol):
    """One configured sender. Both methods are pure: no IO, no clock, no randomness, no logging."""

    def verify(self, request: RawRequest, *, now: datetime) -> Verification:
        """Judge the raw bytes in constant time against every active secret."""
        ...

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        """Find the statements of a genuine request; never raises for anything a sender can send.

        What cannot be read becomes one statement of fate `unreadable` whose dedupe key is the
        SHA-256 of the body, in hex.
        """
        ...


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """What a simulated sender posts."""

    headers: Mapping[str, str]
    body: bytes
