"""What a simulated CRM keeps: writes come in, records and every effect on them go out; no IO."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue

MOST_RECORDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Effect:
    """One write that changed a record."""

    at: datetime
    before: Mapping[str, JsonValue]
    after: Mapping[str, JsonValue]


@dataclass(slots=True)
class Entry:
    """One record, by the CRM's own names of fields."""

    id: str
    kind: str
    fields: dict[str, JsonValue]
    created_at: datetime
    modified_at: datetime
    version: int = 1
    effects: list[Effect] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


class Book:
    """All records of one simulated CRM; ids are made in order, from `first`."""

    def __init__(self, *, clock: Callable[[], datetime], first: int = 1001) -> None:
        self.entries: dict[str, Entry] = {}
        self.writes = 0
        """Rows that were written, whether or not anything changed."""
        self.effects = 0
        """Rows that changed."""
        self._clock = clock
        self._next = first

    def create(self, kind: str, fields: Mapping[str, JsonValue], *, id: str | None = None) -> Entry:  # noqa: A002
        """Add a record; its coming counts as an effect."""
        if len(self.entries) >= MOST_RECORDS:
            raise OverflowError("This sandbox is full.")
        now = self._clock()
        entry = Entry(id or str(self._next), kind, dict(fields), now, now)
        self._next += 1
        self.entries[f"{kind}/{entry.id}"] = entry
        entry.effects.append(Effect(now, {}, dict(fields)))
        self.writes += 1
        self.effects += 1
        return entry

    def get(self, kind: str, id: str) -> Entry | None:  # noqa: A002
        return self.entries.get(f"{kind}/{id}")

    def update(self, entry: Entry, fields: Mapping[str, JsonValue]) -> bool:
        """Write fields; says whether anything changed."""
        self.writes += 1
        changed = {name: value for name, value in fields.items() if entry.fields.get(name) != value}
        if not changed:
            return False
        before = {name: entry.fields.get(name) for name in changed}
        entry.fields.update(changed)
        entry.version += 1
        entry.modified_at = self._clock()
        entry.effects.append(Effect(entry.modified_at, before, changed))
        self.effects += 1
        return True

    def of(self, kind: str) -> Iterator[Entry]:
        return (entry for entry in self.entries.values() if entry.kind == kind)

    def where(self, kind: str, name: str, value: JsonValue) -> list[Entry]:
        """The records whose field has exactly this value."""
        return [entry for entry in self.of(kind) if entry.fields.get(name) == value]
