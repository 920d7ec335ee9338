"""Quotas of a CRM: what its vendor allows and what its answers say come in, who may call goes out.

A quota of less than a day is a line of time that all workers share. What is spent takes up a piece
of it, and may be used from where the piece lies, or a little before (the vendor's bucket) or after
(the slack). A piece that nobody used is lost, which is harmless.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

DAY = timedelta(days=1)
MARGIN = 0.025
"""What is left of a quota, so that calls which arrive early or late do not exceed it."""
RESERVE = 0.1
"""The last of a stock, kept for what is live."""
LONGEST_SLACK = 0.5
SLICE = 0.5
"""Seconds of a fast limit that one worker takes at a time, at most."""
USUAL_REST = timedelta(seconds=10)
"""After an answer that it was too fast, and not for how long."""
AHEAD = {False: 0.25, True: 1.0}
"""Seconds ahead of now that may be taken; the live goes before the rest by that."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A quota all workers share: `count` in each `period`, at most `burst` at once.

    Calls are spaced so that no window of one period ever holds more than `count`. A period of a
    day is a stock instead: it may be spent at any speed, and the last of it is kept for what is
    live.
    """

    name: str
    """As calls name it in their costs: `requests`, `search`, `daily`, `crm.item.update`."""
    count: float
    period: timedelta
    burst: float = 1.0
    leaky: bool = False
    """The vendor itself counts by a leaky bucket that holds `burst`: all of it may be used."""


@dataclass(frozen=True, slots=True)
class Hint:
    """What an answer said about a limit."""

    limit: str
    remaining: float | None = None
    ceiling: float | None = None
    """How many there are in a period, when the account has another number than we thought."""
    resets_at: datetime | None = None
    """When a stock is full again."""
    rests_until: datetime | None = None
    """Nothing may be spent before."""


class Rule(Protocol):
    """What the configuration says about a limit."""

    @property
    def count(self) -> float: ...
    @property
    def period(self) -> timedelta: ...
    @property
    def burst(self) -> float: ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast a limit may be spent."""

    spacing: float
    """Seconds of the line that one unit takes up."""
    room: float
    """Units that may be spent at once after a rest."""
    slack: float
    """Seconds by which a unit may be spent late."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the line, and when the call it pays for may start."""

    start: float
    end: float
    opens: float
    closes: float


def effective(stated: Iterable[Limit], ruled: Mapping[str, Rule]) -> dict[str, Limit]:
    """The limits by name: the vendor's, but as the configuration has them where it has them."""
    known = {limit.name: limit for limit in stated}
    for name, rule in ruled.items():
        limit = known.get(name, Limit(name, rule.count, rule.period))
        known[name] = replace(limit, count=rule.count, period=rule.period, burst=rule.burst)
    return known


def is_stock(limit: Limit) -> bool:
    return limit.period >= DAY


def with_ceiling(limit: Limit, ceiling: float | None, *, ruled: bool) -> Limit:
    """The limit with the count its vendor told; a configured one is not raised by that."""
    if ceiling is None or ceiling <= 0:
        return limit
    count = min(ceiling, limit.count) if ruled else ceiling
    return replace(limit, count=count, burst=limit.burst * count / limit.count)


def allowance(limit: Limit, *, live: bool) -> float:
    """How much of a stock may be gone after a call."""
    return limit.count if live else limit.count * (1 - RESERVE)


def pace(limit: Limit, *, largest: float = 1.0) -> Pace:
    """The speed at which no window of a period, and no bucket of the vendor's, ever overflows.

    `largest` is the highest price of a single call.
    """
    period = limit.period.total_seconds()
    if limit.leaky:
        return _by_bucket(limit.count / period, max(limit.burst, 1.0))
    spare = limit.count * MARGIN + max(0.0, largest - 1.0)
    count = max(limit.count - spare, limit.count / 2)
    # Half of the margin for our own delays, half for those on the way.
    slack = period * MARGIN / 2
    # Any call may start where its piece begins, however much of the line it takes up.
    return Pace(period / count, max(1.0, largest), min(slack, LONGEST_SLACK))


def _by_bucket(rate: float, burst: float) -> Pace:
    slower = rate * (1 - MARGIN)
    kept = min(2 * LONGEST_SLACK * rate, burst / 10, burst - 1.0)
    slack = kept / rate / 2 + (1 / slower - 1 / rate) / 2
    return Pace(1 / slower, burst - kept, min(slack, LONGEST_SLACK))


def most_at_once(pace: Pace) -> float:
    """Units that one worker takes at a time: half a second's worth, at least one."""
    return float(max(1, int(SLICE / pace.spacing)))


def reach(pace: Pace, cost: float, *, live: bool) -> float:
    """How many seconds from now the line may begin that is taken for a call of this price."""
    return AHEAD[live] + (pace.room - cost) * pace.spacing


def cut(pace: Pace, start: float, cost: float) -> Piece:
    """The piece of the line that begins there and pays for one call."""
    end = start + cost * pace.spacing
    opens = end - pace.room * pace.spacing
    return Piece(start, end, opens, max(start, opens) + pace.slack)


def opens_in(pace: Pace, start: float, cost: float, *, now: float) -> float:
    """Seconds until a call of this price could start if the line is taken up to `start`."""
    return max(0.0, cut(pace, max(start, now), cost).opens - now)


def debt(pace: Pace, remaining: float) -> float:
    """Seconds of the line that are taken when the vendor says so much is left of its bucket."""
    return max(0.0, (pace.room - remaining) * pace.spacing)


def is_used_by_others(limit: Limit, remaining: float) -> bool:
    """Whether somebody else spends it, too: our own calls always leave the margin."""
    return remaining < 1 <= limit.count * MARGIN


def corrected(used: float, *, ceiling: float, remaining: float) -> float:
    """What is used of a stock, by our own count and by what the vendor says is left.

    Calls that are on their way are in our count and not yet in the vendor's, so that a little more
    is believed than the vendor says.
    """
    said = max(0.0, ceiling - remaining)
    return min(max(used, said), said + max(ceiling / 100, 64.0))


def rest_after(limit: Limit, after: timedelta | None) -> timedelta:
    """How long a limit rests after it was found exceeded; the vendor seldom says."""
    if after is not None:
        return max(timedelta(), min(after, DAY))
    return min(limit.period, USUAL_REST * 6 if is_stock(limit) else USUAL_REST)
