"""Builders: keyword overrides come in, domain values that are otherwise ordinary go out."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from service.domain.events import Event, Statement

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
_numbers = count(1)
_EVENT_FIELDS = frozenset(each.name for each in fields(Event))


def at(minutes: float) -> datetime:
    """Tell the time so many minutes into the story."""
    return AT + timedelta(minutes=minutes)


def statement(**overrides: Any) -> Statement:
    """Order 1001 was paid, unless told otherwise; each has its own dedupe key."""
    usual: dict[str, Any] = {
        "dedupe_key": f"evt-{next(_numbers)}",
        "ref": "1001",
        "lane": "payment",
        "status": "paid",
        "occurred_at": AT,
    }
    return Statement(**{**usual, **overrides})


def event(**overrides: Any) -> Event:
    """Source `shop` said it; what is not a field of the event is one of its statement."""
    of_event = {name: value for name, value in overrides.items() if name in _EVENT_FIELDS}
    of_statement = {name: value for name, value in overrides.items() if name not in _EVENT_FIELDS}
    usual: dict[str, Any] = {
        "id": UUID(int=next(_numbers)),
        "source": "shop",
        "received_at": AT + timedelta(seconds=1),
    }
    if "statement" not in of_event:
        usual["statement"] = statement(**of_statement)
    return Event(**{**usual, **of_event})
