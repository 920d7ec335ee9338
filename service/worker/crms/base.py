"""What a CRM adapter is: it carries one change outside and classes what came back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from service.domain.events import AttributeValue, Subject


class Class(StrEnum):
    """How an exchange with a CRM ended, by what must happen next."""

    OK = "ok"
    TRANSIENT = "transient"
    RATE = "rate"
    AUTH = "auth"
    CONFLICT = "conflict"
    NOT_FOUND = "not_found"
    PERMANENT = "permanent"
    GONE = "gone"
    UNKNOWN_OUTCOME = "unknown_outcome"


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
class Answer:
    """One exchange, judged."""

    kind: Class
    operation: str
    http_status: int | None = None
    after: timedelta | None = None
    detail: str = ""
    """One sentence for people; no secrets, no bodies."""


class Crm(Protocol):
    """One configured destination. `write` never raises for anything the CRM or network does."""

    async def write(self, change: Change) -> Answer:
        """Carry the change; repeated with the same key it must not repeat the effect."""
        ...

    def payload(self, change: Change) -> bytes:
        """The exact body `write` sends, for the intent's hash."""
        ...

    async def close(self) -> None: ...
