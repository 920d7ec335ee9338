"""Who may post, and how fast."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.admission import Rates, is_allowed

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
HOME = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    ("peer", "expected"),
    [
        ("192.0.2.7", True),
        ("192.0.3.7", False),
        ("::ffff:192.0.2.7", True),
        ("::ffff:192.0.3.7", False),
        ("2001:db8::1", True),
        ("2001:db9::1", False),
        ("", False),
        ("unix", False),
        ("192.0.2.7:80", False),
    ],
)
def test_only_addresses_of_the_networks_are_allowed(peer: str, *, expected: bool) -> None:
    assert expected == is_allowed(peer, HOME)


@pytest.mark.parametrize("peer", ["192.0.2.7", "", "anything"])
def test_without_networks_everybody_is(peer: str) -> None:
    assert is_allowed(peer, ())


def test_a_source_without_a_rate_never_waits() -> None:
    rates = Rates()
    assert [0.0] * 1000 == [rates.wait("shop", 0, NOW) for _ in range(1000)]


def test_a_second_of_requests_may_come_at_once_and_then_one_by_one() -> None:
    rates = Rates()
    assert [0.0, 0.0, 0.5] == [rates.wait("shop", 2, NOW) for _ in range(3)]
    later = NOW + timedelta(milliseconds=500)
    assert [0.0, 0.5] == [rates.wait("shop", 2, later) for _ in range(2)]


def test_sources_do_not_wait_for_each_other() -> None:
    rates = Rates()
    assert [0.0, 0.0] == [rates.wait(name, 1, NOW) for name in ("shop", "stripe")]


def test_a_changed_rate_holds_at_once() -> None:
    rates = Rates()
    assert [0.0, 1.0] == [rates.wait("shop", 1, NOW) for _ in range(2)]
    assert 0.0 == rates.wait("shop", 5, NOW)


def test_a_clock_set_back_takes_nothing_away() -> None:
    rates = Rates()
    rates.wait("shop", 2, NOW)
    assert 0.0 == rates.wait("shop", 2, NOW - timedelta(hours=1))
    assert 0.5 == rates.wait("shop", 2, NOW - timedelta(hours=1))


@given(rate=st.integers(1, 50), gaps=st.lists(st.floats(0, 2), max_size=200))
def test_never_more_are_taken_than_the_rate_and_one_burst(rate: int, gaps: list[float]) -> None:
    rates, now, taken = Rates(), NOW, 0
    for gap in gaps:
        now += timedelta(seconds=gap)
        wait = rates.wait("shop", rate, now)
        assert 0 <= wait <= 1
        taken += wait == 0
    assert taken <= rate + (now - NOW).total_seconds() * rate + 1
