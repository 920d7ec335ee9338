"""What a CRM adapter is: it carries changes outside, reads records back, and classes what came.

Two kinds: one that is told every change (a callback, an exchange), and one that keeps records which
can be found, read and written. No method of either raises for anything a CRM or the network does.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from service.domain.budget import Hint, Limit
from service.domain.events import AttributeValue, Subject

Value = str | bool | Decimal
"""What a field of a CRM is set to."""


class Class(StrEnum):
    """How an exchange with a CRM ended, by what must happen next."""

    OK = "ok"
    TRANSIENT = "transient"
    """It may go well later; nothing is known to have happened."""
    RATE = "rate"
    """Too fast: the limit named in `scope` must rest for `after`."""
    AUTH = "auth"
    """The credentials are refused: nothing will work until a person mends them."""
    CONFLICT = "conflict"
    """The record changed since it was read: read it again."""
    NOT_FOUND = "not_found"
    """The CRM has no such record."""
    PERMANENT = "permanent"
    """This change is refused, and would be again."""
    GONE = "gone"
    """The address is gone for good."""
    HUMAN = "human"
    """The whole account is out of order until a person acts there (unpaid, blocked, no right)."""
    UNKNOWN_OUTCOME = "unknown_outcome"
    """It was sent and no answer came: it may have happened."""


@dataclass(frozen=True, slots=True)
class Change:
    """The state a destination should show now; equal changes have equal bytes on the wire."""

    subject: Subject
    status: str
    previous: str | None
    lanes: Mapping[str, str]
    attributes: Mapping[str, AttributeValue]
    version: int
    event_ids: Sequence[UUID]
    occurred_at: datetime | None
    """When the newest fact behind this version happened, by its sender's clock."""
    changed_at: datetime
    """When this version was decided, by the database clock."""
    key: str
    """Idempotency key `{destination}:{subject}:{version}`; the same on every attempt."""


@dataclass(frozen=True, slots=True)
class Target:
    """Which object of the CRM a lifecycle is, and which of its fields we touch."""

    object: str
    """Their name of the kind of record: `orders`, `deal`, `Opportunity`, `sale.order`."""
    key_field: str
    """The field that holds the merchant's own number."""
    status_field: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """A record to be found by the merchant's number."""

    target: Target
    key: str
    fields: Sequence[str] = ()
    """Fields to read besides the status."""


@dataclass(frozen=True, slots=True)
class Known:
    """A record to be read by its id."""

    target: Target
    remote_id: str
    fields: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """A record of the CRM as it was just read."""

    remote_id: str
    key: str | None
    """The merchant's number it carries, if it was read."""
    status: str | None
    """Their word for the status."""
    fields: Mapping[str, str | None] = field(default_factory=dict)
    """Their fields as text; None is empty. Never the status."""
    token: str | None = None
    """What a conditional write must show: an ETag, a version number, a time stamp."""
    modified_at: datetime | None = None
    by_us: bool | None = None
    """Whether our own user changed it last; None when the CRM does not tell."""


@dataclass(frozen=True, slots=True)
class Write:
    """One record to be written: the change in the CRM's own words."""

    change: Change
    target: Target
    key: str
    """The merchant's number by which the record is found."""
    status: str | None
    """Their stage; None when the change has no stage there and only fields are written."""
    fields: Mapping[str, Value] = field(default_factory=dict)
    remote_id: str | None = None
    """The record's id once it is known."""
    token: str | None = None
    """Write only if the record still shows this; None: write in any case."""
    create: bool = False
    """Make the record if there is none."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One exchange about one change, judged."""

    kind: Class
    operation: str
    """`find`, `read`, `write`, `create`, `note`, `callback` … shown to people."""
    http_status: int | None = None
    after: timedelta | None = None
    """How long the CRM asked to be left alone."""
    detail: str = ""
    """One sentence for people; no secrets, no bodies."""
    scope: str | None = None
    """For RATE: the name of the limit (see `Crm.limits`) that must rest; None: all of them."""
    remote_id: str | None = None
    """After a write: the record's id."""
    token: str | None = None
    """After a write: the record's new token, if the answer told."""
    tried: bool = True
    """False: the CRM rejected a batch because of another row; this one was not looked at."""
    reached: bool = True
    """False: no connection could be made, whatever was to be sent."""


@dataclass(frozen=True, slots=True)
class Page:
    """Records that changed, oldest first, and where to go on; None at the end."""

    records: Sequence[Record]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a CRM can do; the pump plans by it and `orderhook crms NAME` shows it."""

    batch: int = 1
    """Most changes in one `write_batch`; also most records in one `find` or `read_many`."""
    idempotent: bool = False
    """It takes our key or version, so that a lost answer may simply be repeated."""
    keyed: bool = False
    """Writes by the merchant's number: no record has to be found first."""
    conditional: bool = False
    """Honours `Write.token`: a record that changed meanwhile answers CONFLICT."""
    creates: bool = False
    notes: bool = False
    feed: bool = False
    """`read_back` gives what changed since a moment."""


class Crm(Protocol):
    """One configured destination. `write_batch` never raises for what the CRM or network does."""

    @property
    def capabilities(self) -> Capabilities: ...

    def limits(self) -> Sequence[Limit]:
        """The quotas the vendor states; empty when there are none."""
        ...

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """Carry at most `capabilities.batch` changes; the answers are aligned with them."""
        ...


@runtime_checkable
class Records(Crm, Protocol):
    """A CRM that keeps records and can be asked."""

    @property
    def targets(self) -> Mapping[str, Target]:
        """By lifecycle: what it is here when the configuration does not say."""
        ...

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        """For each, every record that carries the key: none, one or more; or why it is unknown."""
        ...

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        """Each record as it is now; NOT_FOUND when it is no more."""
        ...

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """What changed since a moment, one page a call; only with `capabilities.feed`."""
        ...

    async def note(self, known: Known, text: str) -> Answer:
        """Put an entry into the record's time line; only with `capabilities.notes`."""
        ...


class Spending(Protocol):
    """The shared budget of a destination, as an adapter's calls spend it."""

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
        """Pay before a call, waiting a little if need be; or how long there is nothing to spend."""
        ...

    def learn(self, hints: Sequence[Hint]) -> None:
        """Take in what the CRM's headers and bodies say about its limits."""
        ...


class Tokens(Protocol):
    """Access tokens of a destination, renewed once for all processes."""

    async def access(self, *, refused: str | None = None) -> str | Answer:
        """The present token; one that is not `refused`. An Answer when none can be had."""
        ...

    async def said(self, name: str) -> str | None:
        """What the answer that gave the token said besides, as `instance_url` or `api_domain`."""
        ...


Publish = Callable[[str, str, bytes, Mapping[str, str]], Awaitable[None]]
"""Exchange, routing key, body, headers: returns when the broker has confirmed; raises OSError when
nothing was published and TimeoutError when nobody knows. Other errors: see `broker/exporter.py`."""
