"""A breaker: how calls to a destination ended goes in; whether it may be called comes out.

One bad order never opens it: it takes failures that no single order is part of, or a destination
that cannot even be reached.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

CALLS = 5
SUBJECTS = 3
UNREACHED = 2
FIRST, MOST = timedelta(seconds=0.25), timedelta(seconds=15)
GROWTH = 1.25
"""The next probe comes after about a fourth of the time it has been out of order."""


class Position(StrEnum):
    CLOSED = "closed"
    """Calls are made."""
    OPEN = "open"
    """No calls are made until a probe is due."""
    HALF_OPEN = "half_open"
    """One probe is out."""


class Sign(StrEnum):
    """What the end of one call says about the destination."""

    WELL = "well"
    """It answered with sense, if only to refuse."""
    FAILED = "failed"
    UNREACHED = "unreached"
    """No connection could be made."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """A position, and the failures since the last call that went well."""

    position: Position = Position.CLOSED
    failed: int = 0
    unreached: int = 0
    subjects: frozenset[str] = frozenset()
    """Some of those that calls failed for: no more than are asked for."""
    always: frozenset[str] | None = None
    """Those that every failed call was about."""


def seen(breaker: Breaker, sign: Sign, about: Collection[str], *, probe: bool = False) -> Breaker:
    """One call ended; `probe` says whether it was the one that an open breaker let through."""
    if sign is Sign.WELL:
        return Breaker()
    match breaker.position:
        case Position.CLOSED:
            counted = _counted(breaker, sign, about)
            return Breaker(Position.OPEN) if _is_enough(counted) else counted
        case Position.HALF_OPEN if probe:
            return Breaker(Position.OPEN)
        case _:
            # A call that was made before it opened tells nothing new.
            return breaker


def _counted(breaker: Breaker, sign: Sign, about: Collection[str]) -> Breaker:
    some = frozenset(sorted({*breaker.subjects, *about})[:SUBJECTS])
    always = frozenset(about) if breaker.always is None else breaker.always & frozenset(about)
    return Breaker(
        breaker.position,
        breaker.failed + 1,
        breaker.unreached + (sign is Sign.UNREACHED),
        some,
        always,
    )


def _is_enough(breaker: Breaker) -> bool:
    if breaker.unreached >= UNREACHED:
        return True
    many = breaker.failed >= CALLS and len(breaker.subjects) >= SUBJECTS
    return many and not breaker.always


def back_off(probes: int, *, jitter: float) -> timedelta:
    """How long to wait for the next probe after so many failed; `jitter` in [0, 1)."""
    longest = min(FIRST * GROWTH ** min(max(probes, 0), 64), MOST)
    return longest * (0.75 + jitter / 4)
