"""Rhythms: how often a source speaks, and when its silence is news."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import rhythm
from service.domain.rhythm import DAY, HOUR, MINUTE, Rhythm, Rule, Sound

MONDAY = datetime(2026, 3, 2, tzinfo=UTC).timestamp()
LOOK = 10 * MINUTE

Rate = Callable[[float], float]
"""Requests an hour at a moment."""


def shop(moment: float) -> float:
    """Busy from 8 to 22 on working days, half as busy on the weekend, closed at night."""
    hour, weekend = moment % DAY / HOUR, (moment - MONDAY) // DAY % 7 >= 5
    return (10.0 if weekend else 20.0) if 8 <= hour < 22 else 0.0


def steady(_moment: float) -> float:
    return 60.0


def office(moment: float) -> float:
    """Nine to five on working days."""
    return 6.0 if shop(moment) == 20.0 and 9 <= moment % DAY / HOUR < 17 else 0.0


def arrivals(rate: Rate, days: float, chance: random.Random) -> Iterator[float]:
    """At random, so often."""
    at = MONDAY
    while (at := at + chance.expovariate(60 / HOUR)) < MONDAY + days * DAY:
        if chance.random() < rate(at) / 60:
            yield at


def sounds(moments: list[float]) -> list[Sound]:
    by_minute: dict[float, list[float]] = {}
    for moment in moments:
        by_minute.setdefault(moment // MINUTE, []).append(moment)
    return [Sound(min(each), max(each), len(each)) for each in by_minute.values()]


def watched(
    moments: list[float], *, until: float, rule: Rule = "auto"
) -> tuple[Rhythm, list[float]]:
    """The rhythm after looks every ten minutes, and when each silence was called."""
    now = MONDAY
    state = rhythm.begin(now)
    rest, called = deque(sorted(moments)), list[float]()
    while now < until:
        now += LOOK
        heard = list[float]()
        while rest and rest[0] <= now:
            heard.append(rest.popleft())
        before = state.silent and not heard
        state = rhythm.listen(state, sounds(heard), now=now)
        verdict = rhythm.judge(state, rule, now=now)
        state = replace(state, silent=verdict.silent)
        if verdict.silent and not before:
            called.append(now)
    return state, called


@pytest.mark.parametrize("rate", [shop, steady, office])
def test_a_living_source_is_left_alone(rate: Rate) -> None:
    for seed in range(2):
        chance = random.Random(seed)
        _, called = watched(list(arrivals(rate, 45, chance)), until=MONDAY + 45 * DAY)
        assert [] == called


@pytest.mark.parametrize(
    ("rate", "died", "noticed_within"),
    [
        (steady, 33 * DAY + 3 * HOUR, HOUR / 2),
        (shop, 29 * DAY + 12 * HOUR, 1.5 * HOUR),  # a Tuesday at noon
        (shop, 29 * DAY + 22 * HOUR, 14 * HOUR),  # as it closed: noticed the next day
        (office, 28 * DAY + 10 * HOUR, 4 * HOUR),
        (office, 32 * DAY + 17 * HOUR, 70 * HOUR),  # before the weekend
    ],
)
def test_a_source_that_dies_is_noticed(rate: Rate, died: float, noticed_within: float) -> None:
    for seed in range(2):
        moments = [at for at in arrivals(rate, 50, random.Random(seed)) if at < MONDAY + died]
        _, called = watched(moments, until=MONDAY + died + noticed_within)
        assert 1 == len(called)
        assert called[0] > MONDAY + died


def test_a_daily_batch_is_missed_by_the_third_day_and_not_before() -> None:
    nights = [MONDAY + day * DAY + 2 * HOUR + 7 * day for day in range(40)]
    _, called = watched(nights, until=MONDAY + 43 * DAY)
    assert [41.0] == [(at - MONDAY) // DAY for at in called]


def test_nothing_is_called_silent_before_enough_was_heard() -> None:
    tried = [MONDAY + minute * MINUTE for minute in range(30)]  # somebody tried it out
    state, called = watched(tried, until=MONDAY + 6 * DAY)
    assert [] == called
    assert 30 == state.sounds
    _, called = watched([], until=MONDAY + 10 * DAY)
    assert [] == called


def test_an_outage_of_ours_accuses_nobody() -> None:
    moments = list(arrivals(steady, 20, random.Random(1)))
    state, _ = watched(moments, until=MONDAY + 20 * DAY)
    later = state.looked + DAY
    state = rhythm.listen(state, [], now=later)
    verdict = rhythm.judge(state, "auto", now=later)
    assert (False, 0.0) == (verdict.silent, verdict.silent_for)


def test_a_source_that_speaks_again_is_not_silent_any_more() -> None:
    moments = list(arrivals(steady, 20, random.Random(1)))
    state, called = watched(moments, until=MONDAY + 21 * DAY)
    assert 1 == len(called)
    again = state.looked + MINUTE
    state = rhythm.listen(state, [Sound(again, again)], now=again)
    assert not state.silent
    assert not rhythm.judge(state, "auto", now=again).silent


def test_an_outage_is_not_taken_for_the_custom_of_the_house() -> None:
    """After three days of silence the next one is noticed nearly as early."""
    whole = list(arrivals(steady, 40, random.Random(1)))
    moments = [at for at in whole if not 20 <= (at - MONDAY) / DAY < 23]
    _, called = watched(moments, until=MONDAY + 40 * DAY + 3 * HOUR)
    assert 2 == len(called)
    assert called[1] - max(moments) <= 2 * HOUR


def test_an_hour_in_which_only_half_was_heard_teaches_nothing() -> None:
    state = rhythm.begin(MONDAY + HOUR / 2)
    for minute in range(31, 65):
        at = MONDAY + minute * MINUTE
        state = rhythm.listen(state, [Sound(at, at)], now=at)
    assert 0 == sum(state.days)
    for minute in range(65, 125):
        at = MONDAY + minute * MINUTE
        state = rhythm.listen(state, [Sound(at, at)], now=at)
    assert 1 == sum(state.days)
    assert 60 == state.means[1]


@pytest.mark.parametrize(
    ("rule", "after", "silent"),
    [
        (2 * HOUR, HOUR, False),
        (2 * HOUR, 2 * HOUR, True),
        ("off", 5 * DAY, False),
        ("auto", 5 * DAY, False),  # heard once: that is no rhythm
    ],
)
def test_a_limit_of_ones_own_needs_no_rhythm(rule: Rule, after: float, *, silent: bool) -> None:
    _, called = watched([MONDAY + 1], until=MONDAY + after + LOOK, rule=rule)
    assert silent is bool(called)


def test_a_source_that_never_spoke_is_silent_since_it_is_watched() -> None:
    _, called = watched([], until=MONDAY + 3 * HOUR, rule=2 * HOUR)
    assert [MONDAY + 2 * HOUR] == called


def test_the_usual_gap_is_one_between_requests_however_they_are_bundled() -> None:
    every_second = [MONDAY + second for second in range(1, 3600)]
    state, _ = watched(every_second, until=MONDAY + HOUR)
    assert state.usual == pytest.approx(1.0, rel=0.01)
    every_ten = [MONDAY + 600 * number for number in range(1, 100)]
    state, _ = watched(every_ten, until=MONDAY + DAY)
    assert state.usual == pytest.approx(600.0, rel=0.01)


def test_what_is_heard_twice_counts_once() -> None:
    state = rhythm.begin(MONDAY)
    heard = [Sound(MONDAY + 10, MONDAY + 20, 3), Sound(MONDAY + 70, MONDAY + 70)]
    once = rhythm.listen(state, heard, now=MONDAY + 120)
    assert once == rhythm.listen(once, heard, now=MONDAY + 120)


MOMENTS = st.lists(st.integers(0, 20 * 24 * 60).map(lambda n: MONDAY + n * MINUTE), max_size=40)


@settings(max_examples=20, deadline=None)
@given(MOMENTS, st.sampled_from(["auto", "off", 2 * HOUR]))
def test_any_rhythm_survives_storage_and_stays_within_bounds(
    moments: list[float], rule: Rule
) -> None:
    state, _ = watched(moments, until=MONDAY + 5 * DAY, rule=rule)
    assert state == Rhythm.from_json(state.to_json())
    assert all(0 <= mean <= 60 for mean in state.means)
    assert 0 <= state.longest <= 5 * DAY
    assert 0 <= state.minutes < 2**60
