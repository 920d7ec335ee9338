"""Spending: no window of a vendor's ever overflows, and nearly all of a quota can be used."""

import heapq
import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import budget
from service.domain.budget import Limit, Pace, Piece
from service.sandbox.dialects.meters import Leaky, Meter, Rolling

SECOND = timedelta(seconds=1)
COUNTS = st.sampled_from([1.0, 2.0, 3.0, 7.0, 10.0, 50.0, 100.0, 190.0])
PERIODS = st.sampled_from([SECOND, timedelta(seconds=10), timedelta(minutes=1)])


@dataclass(slots=True)
class Shared:
    """The line that all workers take from, as the row of the database is it."""

    pace: Pace
    end: float = 0.0

    def take(self, now: float, *, units: float, cost: float, live: bool = False) -> float | None:
        start = max(self.end, now)
        if start > now + budget.reach(self.pace, cost, live=live):
            return None
        self.end = start + units * self.pace.spacing
        return start


@dataclass(slots=True)
class Worker:
    shared: Shared
    late: float
    chance: random.Random
    cost: float = 1.0
    start: float = 0.0
    end: float = 0.0
    called: list[tuple[float, float]] = field(default_factory=list)

    def act(self, now: float) -> float:
        """Call if that is possible; the time of the next try."""
        pace = self.shared.pace
        piece = budget.cut(pace, self.start, self.cost)
        if piece.end > self.end + 1e-9:
            return self._take(now)
        if piece.opens > now:
            return piece.opens + self._delay(piece)
        self.start = piece.end
        if piece.closes >= now:
            on_the_way = self.chance.random() * pace.slack
            self.called.append((now + on_the_way, self.cost))
        return now + 1e-6

    def _delay(self, piece: Piece) -> float:
        return self.chance.random() * min(self.late, piece.closes - max(piece.opens, 0.0))

    def _take(self, now: float) -> float:
        pace = self.shared.pace
        units = max(self.cost, budget.most_at_once(pace))
        start = self.shared.take(now, units=units, cost=self.cost)
        if start is None:
            return now + max(0.01, pace.spacing / 20)
        self.start, self.end = start, start + units * pace.spacing
        return now


def traffic(
    limit: Limit, *, workers: int, seconds: float, seed: int, prices: tuple[float, ...] = (1.0,)
) -> list[tuple[float, float]]:
    """Every call of workers that want to call all the time, as it comes to the vendor."""
    chance = random.Random(seed)
    shared = Shared(budget.pace(limit, largest=max(prices)))
    crew = [
        Worker(shared, shared.pace.slack, chance, chance.choice(prices)) for _ in range(workers)
    ]
    agenda = [(chance.random() / 10, number) for number in range(workers)]
    heapq.heapify(agenda)
    while agenda[0][0] < seconds:
        now, number = heapq.heappop(agenda)
        crew[number].cost = crew[number].cost if len(prices) == 1 else chance.choice(prices)
        heapq.heappush(agenda, (crew[number].act(now), number))
    return sorted(call for worker in crew for call in worker.called)


def refused(meter: Meter, calls: list[tuple[float, float]]) -> int:
    for at, cost in calls:
        meter.take(cost, at=at)
    return meter.refused


def spent(calls: list[tuple[float, float]]) -> float:
    return sum(cost for _, cost in calls)


@settings(max_examples=50)
@given(COUNTS, PERIODS, st.integers(1, 4), st.integers())
def test_a_rolling_window_never_overflows_and_is_nearly_filled(
    count: float, period: timedelta, workers: int, seed: int
) -> None:
    limit = Limit("requests", count, period)
    length = period.total_seconds() * max(4.0, 100 / count)
    calls = traffic(limit, workers=workers, seconds=length, seed=seed)
    assert refused(Rolling(count=count, seconds=period.total_seconds()), calls) == 0
    pace = budget.pace(limit)
    # One worker alone that wakes up later than its next call is due cannot keep up.
    if workers > 1 or pace.slack <= pace.spacing:
        assert spent(calls) >= 0.95 * count * length / period.total_seconds() - 1


@settings(max_examples=50)
@given(
    st.sampled_from([1.0, 2.0, 10.0, 50.0]),
    st.sampled_from([1.0, 2.0, 5.0, 50.0, 250.0]),
    st.integers(1, 4),
    st.integers(),
)
def test_a_leaky_bucket_never_overflows_and_is_nearly_used_up(
    rate: float, burst: float, workers: int, seed: int
) -> None:
    limit = Limit("requests", rate, SECOND, burst=burst, leaky=True)
    length = max(10.0, 100 / rate)
    calls = traffic(limit, workers=workers, seconds=length, seed=seed)
    assert refused(Leaky(rate=rate, size=burst), calls) == 0
    assert spent(calls) >= 0.95 * rate * length - 1


@given(st.integers(1, 4), st.integers())
def test_calls_of_different_prices_do_not_overflow_either(workers: int, seed: int) -> None:
    limit = Limit("points", 100, SECOND)
    calls = traffic(limit, workers=workers, seconds=20, seed=seed, prices=(1.0, 2.0, 5.0))
    assert refused(Rolling(count=100, seconds=1), calls) == 0


def test_a_call_that_costs_much_more_than_is_taken_ahead_is_let_through() -> None:
    limit = Limit("complexity", 5_000_000, timedelta(minutes=1))
    calls = traffic(limit, workers=2, seconds=120, seed=1, prices=(100_000.0,))
    assert refused(Rolling(count=5_000_000, seconds=60), calls) == 0
    assert spent(calls) >= 0.94 * 10_000_000


@given(COUNTS, PERIODS)
def test_at_least_97_of_a_hundred_are_usable(count: float, period: timedelta) -> None:
    pace = budget.pace(Limit("requests", count, period))
    assert period.total_seconds() / pace.spacing >= 0.97 * count


def test_what_a_bucket_holds_may_be_spent_at_once_after_a_rest() -> None:
    pace = budget.pace(Limit("requests", 2, SECOND, burst=50, leaky=True))
    piece = budget.cut(pace, 100.0 + 47 * pace.spacing, 1.0)
    assert piece.opens <= 100.0


def test_live_work_may_take_what_lies_further_ahead_than_the_rest_ever_takes() -> None:
    shared = Shared(budget.pace(Limit("requests", 100, SECOND)))
    most = budget.most_at_once(shared.pace)
    while shared.take(0.0, units=most, cost=1.0) is not None:
        pass
    assert shared.take(0.0, units=1.0, cost=1.0, live=True) is not None


def test_the_configuration_overrides_a_limit_and_may_add_one() -> None:
    stated = [Limit("requests", 2, SECOND, burst=50, leaky=True), Limit("daily", 1000, budget.DAY)]
    ruled = {
        "requests": Limit("", 5, SECOND, burst=250),
        "search": Limit("", 4, SECOND),
    }
    assert {
        "requests": Limit("requests", 5, SECOND, burst=250, leaky=True),
        "daily": stated[1],
        "search": Limit("search", 4, SECOND),
    } == budget.effective(stated, ruled)


@pytest.mark.parametrize(
    ("ceiling", "ruled", "expected"),
    [(None, False, 100), (0, False, 100), (250, False, 250), (250, True, 100), (40, True, 40)],
)
def test_the_vendor_knows_its_limit_but_does_not_raise_a_configured_one(
    ceiling: float | None, *, ruled: bool, expected: float
) -> None:
    limit = budget.with_ceiling(Limit("requests", 100, SECOND), ceiling, ruled=ruled)
    assert limit.count == expected


def test_the_last_tenth_of_a_stock_is_kept_for_what_is_live() -> None:
    limit = Limit("daily", 1000, budget.DAY)
    assert budget.is_stock(limit)
    assert budget.allowance(limit, live=False) == 900
    assert budget.allowance(limit, live=True) == 1000


@given(st.floats(0, 2000), st.floats(0, 1000))
def test_what_the_vendor_says_of_a_stock_corrects_our_count_both_ways(
    used: float, remaining: float
) -> None:
    found = budget.corrected(used, ceiling=1000, remaining=remaining)
    assert 1000 - remaining <= found <= 1000 - remaining + 64


def test_a_limit_that_was_exceeded_rests_as_long_as_was_asked_for_but_at_most_a_day() -> None:
    limit = Limit("requests", 7, SECOND)
    assert budget.rest_after(limit, timedelta(seconds=3)) == timedelta(seconds=3)
    assert budget.rest_after(limit, timedelta(days=9)) == timedelta(days=1)
    assert budget.rest_after(limit, None) == SECOND
    assert budget.rest_after(Limit("daily", 7, budget.DAY), None) == timedelta(minutes=1)
