"""What the sandbox CRM knows: verified callbacks in, orders, effects and counts out; no IO."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, JsonValue

MAX_CALLS = 200_000
MAX_KEYS = 1_000_000


class Effect(StrEnum):
    """What a call did to the CRM's records."""

    APPLIED = "applied"
    REPEATED = "repeated"
    """The key was seen with the same body: answered as before, nothing done."""
    STALE = "stale"
    """The version is not above the one on record: answered well, nothing done."""
    CORRUPT = "corrupt"
    """The key was seen with another body: refused, and never to happen."""
    REFUSED = "refused"
    """The signature is wrong or the body is not a callback."""
    NONE = "none"
    """The CRM misbehaved on demand and did nothing."""


class Data(BaseModel):
    """The `data` of a callback."""

    model_config = ConfigDict(frozen=True, strict=True)

    subject: str = Field(min_length=1, max_length=700)
    status: str = Field(min_length=1, max_length=200)
    previous: str | None
    lanes: dict[str, str]
    version: int = Field(ge=1)
    event_ids: list[str]
    occurred_at: str | None
    attributes: dict[str, str | bool]


class Callback(BaseModel):
    """The body of a callback."""

    model_config = ConfigDict(frozen=True, strict=True)

    type: str = Field(pattern=r"^[a-z_]+\.status_changed$")
    timestamp: str
    data: Data


@dataclass(frozen=True, slots=True)
class Step:
    """One effect in the life of an order, with the moment it was recorded here."""

    status: str
    version: int
    at: datetime
    key: str
    event_ids: list[str]


@dataclass(slots=True)
class Order:
    """An order as this CRM has it now, and how it came to be so."""

    data: Data
    steps: list[Step] = field(default_factory=list)

    def to_json(self) -> dict[str, JsonValue]:
        effects = Counter(step.key for step in self.steps)
        steps: list[JsonValue] = [
            {"status": s.status, "version": s.version, "at": s.at.isoformat(), "key": s.key}
            for s in self.steps
        ]
        return {**self.data.model_dump(), "effects": dict(effects), "history": steps}


@dataclass(frozen=True, slots=True)
class Call:
    """One request that reached the CRM."""

    at: datetime
    """When its effect was recorded."""
    key: str
    effect: Effect
    http_status: int | None
    """None when the connection was cut or left hanging."""
    detail: str = ""
    number: int = -1
    subject: str | None = None
    status: str | None = None
    version: int | None = None


class Records:
    """The whole memory of one sandbox CRM."""

    def __init__(self) -> None:
        self.orders: dict[str, Order] = {}
        self.columns: dict[str, dict[str, Order]] = {}
        self.calls: deque[Call] = deque(maxlen=MAX_CALLS)
        self.counts: Counter[str] = Counter()
        self.revision = 0
        """How many calls were noted; it moves whenever anything here does."""
        self._bodies: dict[str, bytes] = {}
        self._effects: Counter[str] = Counter()

    def take(self, data: Data, *, key: str, digest: bytes, at: datetime) -> Effect:
        """Decide and carry out the effect of one verified callback."""
        if key in self._bodies:
            return Effect.REPEATED if self._bodies[key] == digest else Effect.CORRUPT
        self._remember(key, digest)
        known = self.orders.get(data.subject)
        if known is not None and data.version <= known.data.version:
            return Effect.STALE
        self._apply(data, key=key, at=at)
        return Effect.APPLIED

    def note(self, call: Call) -> None:
        """Record a call, whatever became of it."""
        self.calls.append(replace(call, number=self.revision))
        self.revision += 1
        self.counts[call.effect] += 1

    def newest(self, status: str) -> Iterator[Order]:
        """The orders of a column, the one moved last first."""
        return iter(reversed(self.columns.get(status, {}).values()))

    def summary(self) -> dict[str, int]:
        """All counters; `repeated_effects` counts effects beyond the first of their key."""
        named = {effect.value: self.counts[effect] for effect in Effect}
        return {
            "calls": self.revision,
            **named,
            "orders": len(self.orders),
            "repeated_effects": self._effects.total() - len(self._effects),
        }

    def _remember(self, key: str, digest: bytes) -> None:
        self._bodies[key] = digest
        if len(self._bodies) > MAX_KEYS:
            del self._bodies[next(iter(self._bodies))]

    def _apply(self, data: Data, *, key: str, at: datetime) -> None:
        order = self.orders.setdefault(data.subject, Order(data))
        self.columns.get(order.data.status, {}).pop(data.subject, None)
        self.columns.setdefault(data.status, {})[data.subject] = order
        order.data = data
        self._effects[key] += 1
        order.steps.append(Step(data.status, data.version, at, key, data.event_ids))
