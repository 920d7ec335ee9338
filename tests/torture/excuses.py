"""Lines of logs and faults as they happened come in; lines that no fault asked for come out."""

from collections.abc import Sequence
from datetime import datetime

import orjson

DEADLOCK = "DeadlockDetected"
LATE = 2.0
"""Seconds after a fault in which what it caused may still be told."""

Span = tuple[float, float]
"""Begin and end, in seconds since the epoch."""


def unexcused(lines: Sequence[str], deadlocks: Sequence[Span]) -> list[str]:
    """All but the deadlocks of moments in which a stranger locked rows across our order."""
    return [line for line in lines if not (DEADLOCK in line and _within(line, deadlocks))]


def _within(line: str, spans: Sequence[Span]) -> bool:
    at = _moment(line)
    return at is not None and any(begin <= at <= end + LATE for begin, end in spans)


def _moment(line: str) -> float | None:
    """When a line was written; it may begin with the name of its role."""
    try:
        told = orjson.loads(line[line.index("{") :])
        return datetime.fromisoformat(told["timestamp"]).timestamp()
    except (ValueError, KeyError, TypeError):
        return None
