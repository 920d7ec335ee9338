"""Back-off: how often and how long work has failed comes in, the next try or its end goes out."""

from datetime import timedelta
from typing import Protocol

from service.domain.verdict import DeadLetter, Reason, Retry

_MOST_DOUBLINGS = 64
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


class Limits(Protocol):
    """What `retry = {…}` of a destination says."""

    @property
    def first(self) -> timedelta: ...
    @property
    def max(self) -> timedelta: ...
    @property
    def max_attempts(self) -> int: ...
    @property
    def max_age(self) -> timedelta: ...


def schedule(
    limits: Limits,
    *,
    attempts: int,
    failing_for: timedelta,
    after: timedelta | None,
    jitter: float,
) -> Retry | DeadLetter:
    """Say when to try again after `attempts` failures, the first one `failing_for` ago.

    Exponential with full jitter (0 <= jitter < 1). `after` is what the other side asked for: never
    sooner, even beyond `max`, but a wish longer than the whole `max_age` is cut to it.
    """
    if attempts >= limits.max_attempts:
        return _exhausted(f"gave up at attempt {attempts}, the last allowed")
    if failing_for >= limits.max_age:
        return _exhausted(f"gave up at attempt {attempts}, failing for {_spoken(failing_for)}")
    asked = min(after or timedelta(), limits.max_age)
    return Retry(max(_backoff(limits, attempts) * jitter, asked))


def _backoff(limits: Limits, attempts: int) -> timedelta:
    doublings = min(max(attempts - 1, 0), _MOST_DOUBLINGS)
    seconds = limits.first.total_seconds() * 2.0**doublings
    return timedelta(seconds=min(seconds, limits.max.total_seconds()))


def _exhausted(summary: str) -> DeadLetter:
    return DeadLetter(Reason.RETRIES_EXHAUSTED, summary)


def _spoken(length: timedelta) -> str:
    seconds = length.total_seconds()
    size, unit = next((each for each in _UNITS if seconds >= each[0]), _UNITS[-1])
    return f"{seconds / size:.3g} {unit}"
