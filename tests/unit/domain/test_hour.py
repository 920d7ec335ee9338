"""Counts of the last hour."""

from service.domain import hour
from service.domain.hour import STRIDE, STRIDES, Hour


def test_what_is_counted_again_replaces_what_was_known() -> None:
    kept = Hour()
    kept.replace(100, [("shop", 100, 5), ("shop", 101, 3)])
    kept.replace(101, [("shop", 101, 7), ("wms", 102, 1)])
    assert [5, 7, 0] == list(kept.row(102, "shop"))[-3:]
    assert [5, 7, 1] == list(kept.row(102))[-3:]


def test_what_lies_before_the_recount_stays_as_it_was() -> None:
    kept = Hour()
    kept.replace(100, [("shop", 100, 5)])
    kept.replace(101, [("shop", 100, 99)])
    assert 5 == kept.row(101, "shop")[-2]


def test_what_is_older_than_an_hour_is_forgotten_with_its_name() -> None:
    kept = Hour()
    kept.replace(100, [("shop", 100, 5), ("wms", 100 + STRIDES, 1)])
    kept.forget(100 + STRIDES)
    assert {"wms": {100 + STRIDES: 1}} == kept.counts
    assert STRIDES == len(kept.row(100 + STRIDES))


def test_the_speed_is_told_from_two_strides_and_what_is_over_of_the_third() -> None:
    assert (60 + 60 + 30) / (2 * STRIDE + 15) == hour.speed([9, 60, 60, 30], into=15)
    assert 0.0 == hour.speed([0, 0, 0], into=0.0)
