"""The bounds of a request."""

import pytest

from service.web.limits import Budget, Limits, Places, body_seconds
from service.web.problems import Refused


@pytest.mark.parametrize(
    ("size", "seconds"), [(0, 1.0), (16 * 1024, 2.0), (64 * 1024, 5.0), (10 * 1024 * 1024, 5.0)]
)
def test_a_body_gets_time_for_its_size_up_to_five_seconds(size: int, seconds: float) -> None:
    assert seconds == body_seconds(size, Limits())


def test_the_budget_counts_what_arrived_and_takes_it_back() -> None:
    budget = Budget(10)
    budget.take(6)
    budget.take(4)
    with pytest.raises(Refused) as refused:
        budget.take(1)
    assert 503 == refused.value.status
    assert "Retry-After" in refused.value.headers
    assert 10 == budget.used
    budget.give_back(6)
    budget.admit(6)
    assert 4 == budget.used


def test_an_announcement_reserves_nothing() -> None:
    budget = Budget(10)
    for _ in range(100):
        budget.admit(10)
    assert 0 == budget.used


def test_one_peer_never_takes_the_whole_listener() -> None:
    assert 5 == Limits(connections=10).connections_of_one_peer
    assert 1 == Limits(connections=1).connections_of_one_peer


def test_half_of_the_file_descriptors_stay_free_for_other_uses() -> None:
    assert 0 < Limits().connections <= 10_000


def test_a_place_is_given_back_whatever_happens() -> None:
    places = Places()
    with places.of("shop", 1), places.of("crm", 1):
        with pytest.raises(Refused) as refused, places.of("shop", 1):
            pass
        assert 503 == refused.value.status
    with pytest.raises(ZeroDivisionError), places.of("shop", 1):
        raise ZeroDivisionError
    with places.of("shop", 1):
        pass
