"""The breaker: what opens it, what never does, and how it closes."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain import breaker
from service.domain.breaker import Breaker, Position, Sign

FAILED, WELL, UNREACHED = Sign.FAILED, Sign.WELL, Sign.UNREACHED


def after(*calls: tuple[Sign, str], start: Breaker | None = None) -> Breaker:
    found = start or Breaker()
    for sign, about in calls:
        found = breaker.seen(found, sign, about.split("+"))
    return found


def test_five_failures_of_three_orders_open_it() -> None:
    four = [(FAILED, "a"), (FAILED, "b"), (FAILED, "a"), (FAILED, "c")]
    assert after(*four).position is Position.CLOSED
    assert after(*four, (FAILED, "c")).position is Position.OPEN


def test_failures_of_two_orders_are_not_enough() -> None:
    assert after(*[(FAILED, "a"), (FAILED, "b")] * 50).position is Position.CLOSED


def test_one_success_in_between_begins_anew() -> None:
    two = [(FAILED, "a"), (FAILED, "b"), (FAILED, "c"), (FAILED, "d")]
    assert after(*two, (WELL, "e"), *two) == after(*two)


@given(st.lists(st.sets(st.sampled_from("bcdefgh"), max_size=3), max_size=30))
def test_one_bad_order_never_opens_it_whatever_it_shares_its_calls_with(
    others: list[set[str]],
) -> None:
    calls = [(FAILED, "+".join(["a", *sorted(each)])) for each in others]
    assert after(*calls).position is Position.CLOSED


def test_two_calls_that_reach_nobody_open_it() -> None:
    assert after((UNREACHED, "a")).position is Position.CLOSED
    assert after((UNREACHED, "a"), (UNREACHED, "a")).position is Position.OPEN


def test_a_call_made_before_it_opened_keeps_nothing_open_and_closes_it_when_it_went_well() -> None:
    opened = Breaker(Position.OPEN)
    assert after((FAILED, "a"), start=opened) == opened
    assert after((WELL, "a"), start=opened) == Breaker()


def test_only_the_probe_decides_while_one_is_out() -> None:
    half = Breaker(Position.HALF_OPEN)
    assert breaker.seen(half, FAILED, ["a"]) == half
    assert breaker.seen(half, FAILED, ["a"], probe=True).position is Position.OPEN
    assert breaker.seen(half, WELL, ["a"], probe=True).position is Position.CLOSED


@given(st.integers(0, 10_000), st.floats(0, 1, exclude_max=True))
def test_probes_come_a_moment_to_fifteen_seconds_apart(probes: int, jitter: float) -> None:
    wait = breaker.back_off(probes, jitter=jitter)
    assert timedelta(seconds=0.18) < wait <= timedelta(seconds=15)


def test_probes_come_ever_more_seldom() -> None:
    waits = [breaker.back_off(probes, jitter=0.5) for probes in range(30)]
    assert waits == sorted(waits)
    assert waits[-1] > timedelta(seconds=12)


def test_the_next_probe_comes_after_a_fourth_of_the_outage_so_far() -> None:
    out = timedelta()
    for probes in range(18):
        wait = breaker.back_off(probes, jitter=0.999)
        assert wait <= out / 4 + timedelta(seconds=0.25)
        out += wait
    assert out > timedelta(seconds=40)


def test_it_remembers_no_more_than_it_needs() -> None:
    many = after(*[(FAILED, f"a+{number}") for number in range(1000)])
    assert len(many.subjects) == 3
