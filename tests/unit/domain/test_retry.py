"""Back-off grows to its limit, listens to the other side, and ends where it was told to."""

from dataclasses import dataclass
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.retry import schedule
from service.domain.verdict import DeadLetter, Reason, Retry

ALMOST_ONE = 1 - 2**-53


@dataclass(frozen=True)
class Limits:
    first: timedelta = timedelta(seconds=5)
    max: timedelta = timedelta(hours=1)
    max_attempts: int = 50
    max_age: timedelta = timedelta(days=7)


def ask(
    limits: Limits | None = None,
    *,
    attempts: int = 1,
    failing_for: timedelta = timedelta(),
    after: timedelta | None = None,
    jitter: float = ALMOST_ONE,
) -> Retry | DeadLetter:
    return schedule(
        limits or Limits(), attempts=attempts, failing_for=failing_for, after=after, jitter=jitter
    )


def delays(*, jitter: float) -> list[float]:
    answers = [ask(attempts=number, jitter=jitter) for number in range(1, 13)]
    return [
        each.after.total_seconds() for each in answers if isinstance(each, Retry) and each.after
    ]


def test_the_delay_doubles_from_the_first_to_the_max() -> None:
    assert [5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600] == delays(jitter=ALMOST_ONE)


def test_jitter_takes_its_share_of_the_whole_delay() -> None:
    assert [2.5, 5, 10, 20, 40, 80, 160, 320, 640, 1280, 1800, 1800] == delays(jitter=0.5)
    assert Retry(timedelta()) == ask(jitter=0)


spans = st.timedeltas(timedelta(), timedelta(days=30))
rules = st.builds(
    Limits,
    first=spans,
    max=spans,
    max_attempts=st.integers(1, 10_000),
    max_age=st.timedeltas(timedelta(seconds=1), timedelta(days=60)),
)


@given(rules, st.integers(0, 10_000), spans, st.none() | spans, st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_negative_never_over_max_and_never_before_what_was_asked(
    limits: Limits, attempts: int, failing_for: timedelta, after: timedelta | None, jitter: float
) -> None:
    answer = ask(limits, attempts=attempts, failing_for=failing_for, after=after, jitter=jitter)
    ended = attempts >= limits.max_attempts or failing_for >= limits.max_age
    assert ended == isinstance(answer, DeadLetter)
    if isinstance(answer, Retry):
        asked = min(after or timedelta(), limits.max_age)
        assert answer.after is not None
        assert asked <= answer.after <= max(limits.max, asked)


@pytest.mark.parametrize("after", [timedelta(hours=3), timedelta(minutes=2)])
def test_retry_after_is_honoured_to_the_second(after: timedelta) -> None:
    assert Retry(after) == ask(after=after)


def test_a_retry_after_in_the_past_means_our_own_delay() -> None:
    assert Retry(timedelta(seconds=2.5)) == ask(after=timedelta(seconds=-90), jitter=0.5)


def test_an_endless_retry_after_is_cut_to_the_whole_age() -> None:
    assert Retry(timedelta(days=7)) == ask(after=timedelta.max)


def test_it_ends_exactly_at_the_last_attempt() -> None:
    assert isinstance(ask(attempts=49), Retry)
    assert DeadLetter(Reason.RETRIES_EXHAUSTED, "gave up at attempt 50, the last allowed") == ask(
        attempts=50
    )


def test_it_ends_exactly_at_the_age() -> None:
    assert isinstance(ask(failing_for=timedelta(days=7) - timedelta(microseconds=1)), Retry)
    assert DeadLetter(Reason.RETRIES_EXHAUSTED, "gave up at attempt 31, failing for 7 d") == ask(
        attempts=31, failing_for=timedelta(days=7)
    )


@pytest.mark.parametrize(
    ("seconds", "spoken"), [(0.5, "0.5 s"), (90, "1.5 min"), (7200, "2 h"), (216_000, "2.5 d")]
)
def test_the_end_tells_the_age_in_a_fitting_unit(seconds: float, spoken: str) -> None:
    age = timedelta(seconds=seconds)
    answer = ask(Limits(max_age=age), failing_for=age)
    assert (
        DeadLetter(Reason.RETRIES_EXHAUSTED, f"gave up at attempt 1, failing for {spoken}")
        == answer
    )
