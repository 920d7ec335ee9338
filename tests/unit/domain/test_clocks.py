"""Another clock is known the better the more often it is read, and never falsely."""

from hypothesis import given
from hypothesis import strategies as st

from service.domain import clocks


@given(
    st.floats(-1e6, 1e6),
    st.lists(st.tuples(st.floats(0.001, 2), st.floats(0, 1), st.floats(0.01, 5)), min_size=1),
)
def test_the_true_distance_is_always_between_the_bounds(
    ahead: float, readings: list[tuple[float, float, float]]
) -> None:
    now, known = 1000.0, None
    for trip, part, pause in readings:
        now += pause
        known = clocks.read(known, before=now, theirs=now + trip * part + ahead, after=now + trip)
        now += trip
        assert known.least - 1e-6 <= ahead <= known.most + 1e-6
        assert known.error <= trip + 1e-6


def test_a_quick_reading_is_not_spoilt_by_a_slow_one() -> None:
    quick = clocks.read(None, before=0.0, theirs=100.0, after=0.001)
    slow = clocks.read(quick, before=1.0, theirs=101.4, after=2.0)
    assert slow.error < 0.004


def test_a_clock_that_was_set_is_believed() -> None:
    old = clocks.read(None, before=0.0, theirs=100.0, after=0.001)
    new = clocks.read(old, before=1.0, theirs=500.0, after=1.001)
    assert abs(new.ours(500.0) - 1.0) < 0.01
