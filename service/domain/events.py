"""The canonical event: what a sender's request states about a subject."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple
from uuid import UUID

AttributeValue = str | bool
"""Text, a decimal number as text, or a flag; never a float."""


class Subject(NamedTuple):
    """What an event is about; written `order/1001` or, with a scope, `order/shop-eu:1001`.

    A ref that holds a colon is written with its scope even when that is empty, `order/:a:b`, so
    that no two subjects are written alike. A scope never holds a colon.
    """

    lifecycle: str
    scope: str
    ref: str

    def __str__(self) -> str:
        scoped = self.scope or ":" in self.ref
        return (
            f"{self.lifecycle}/{self.scope}:{self.ref}"
            if scoped
            else f"{self.lifecycle}/{self.ref}"
        )


class Alias(NamedTuple):
    """Another name of a subject, written `tracking:cdek=1234`; the type says whose name it is."""

    type: str
    value: str

    def __str__(self) -> str:
        return f"{self.type}={self.value}"


class Revocation(NamedTuple):
    """Names an event that is taken back; it may arrive before or after that event."""

    source: str
    dedupe_key: str


@dataclass(frozen=True, slots=True)
class Money:
    """An amount that moved, as exact decimal text in major units, never negative.

    With an id (of the refund, of the payment) the last word on that id counts and the ids add up;
    without one the amount is the sender's running total.
    """

    kind: Literal["paid", "refunded", "charged_back"]
    amount: str
    currency: str = ""
    """ISO 4217 in capitals, where the sender tells."""
    id: str | None = None


class Lookup(NamedTuple):
    """What a thin event only points at; a worker fetches it later, never before the answer."""

    kind: str
    """A word of the preset: `payment`, `order`."""
    object_id: str


class Fate(StrEnum):
    """What acceptance already knows will become of an event."""

    FOLD = "fold"
    LOOK_UP = "look_up"
    IGNORED = "ignored"
    UNREADABLE = "unreadable"
    UNMAPPED = "unmapped"
    UNRESOLVED = "unresolved_subject"


class Outcome(StrEnum):
    """The one bucket of the ledger in which an accepted event stands."""

    APPLIED = "applied"
    SUPERSEDED = "superseded"
    REVOKED = "revoked"
    IGNORED = "ignored"
    WAITING = "waiting"
    DEAD = "dead"
    DISCARDED = "discarded"
    PENDING = "pending"


@dataclass(frozen=True, slots=True)
class Statement:
    """One canonical statement found in a request, before it was accepted.

    `dedupe_key`, `ref`, `parcel` and alias values hold at most 256 UTF-8 bytes; no text holds NUL
    or surrogates; `occurred_at` is aware, UTC, in the years 2000-2100, or None when the sender
    gives no time.
    """

    dedupe_key: str
    lifecycle: str = "order"
    scope: str = ""
    ref: str | None = None
    parcel: str | None = None
    """The parcel it is about, in the sender's own numbering; None: the whole subject."""
    returns: bool = False
    """Whether that parcel goes back to the merchant."""
    aliases: tuple[Alias, ...] = ()
    lane: str | None = None
    status: str | None = None
    code: str = ""
    """The sender's raw word for what happened."""
    reason: str = ""
    """The sender's raw word for why."""
    occurred_at: datetime | None = None
    attributes: dict[str, AttributeValue] = field(default_factory=dict)
    money: tuple[Money, ...] = ()
    revokes: Revocation | None = None
    lookup: Lookup | None = None
    """Set where the fate is `look_up`."""
    fate: Fate = Fate.FOLD
    note: str = ""
    """Why the fate is not `fold`, as a sentence."""

    @property
    def follows(self) -> bool:
        """Whether it names no subject, and belongs where the event is that it takes back."""
        return self.revokes is not None and self.ref is None and not self.aliases


@dataclass(frozen=True, slots=True)
class Event:
    """A statement that was accepted from a source."""

    id: UUID
    source: str
    statement: Statement
    received_at: datetime
    request_id: UUID | None = field(default=None, compare=False)
    """The request it came with, where that was asked for."""
    about: Subject | None = field(default=None, compare=False)
    """Where it follows the event it takes back, and that was asked for: the subject of that one."""
    beside: UUID | None = field(default=None, compare=False)
    """That event, where it is at its subject by other names, and might leave."""
    rolled_back: bool = field(default=False, compare=False)
    """Whether an operator took it back, where that was asked for."""

    @property
    def subject(self) -> Subject | None:
        said = self.statement
        return Subject(said.lifecycle, said.scope, said.ref) if said.ref is not None else None

    @property
    def home(self) -> Subject | None:
        """The subject it names, or that of the event it takes back."""
        return self.subject or self.about
