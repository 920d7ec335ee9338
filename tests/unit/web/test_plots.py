"""The numbers that figures are drawn by."""

from hypothesis import given
from hypothesis import strategies as st

from service.web.console import plots
from service.web.console.plots import LEAST, WIDTH

PARTS = ("applied", "dead", "pending")


def test_a_whole_and_its_parts_end_alike() -> None:
    made = plots.bar({"accepted": 10, "applied": 6, "dead": 4, "pending": 0}, "accepted", PARTS)
    assert (10, 10, WIDTH, None) == (made.whole, made.sum, made.length, made.gap)
    assert [(0.0, 600.0), (600.0, 400.0)] == [(one.x, one.width) for one in made.pieces[:2]]


def test_what_nothing_accounts_for_is_drawn_as_a_gap() -> None:
    made = plots.bar({"accepted": 10, "applied": 6, "dead": 0, "pending": 1}, "accepted", PARTS)
    assert made.gap is not None
    assert (3, 700.0, 300.0) == (made.gap.count, made.gap.x, made.gap.width)


def test_too_many_parts_reach_beyond_the_whole() -> None:
    made = plots.bar({"accepted": 10, "applied": 16, "dead": 0, "pending": 4}, "accepted", PARTS)
    assert (500.0, None) == (made.length, made.gap)
    assert WIDTH == made.pieces[2].x + made.pieces[2].width


def test_one_dead_letter_of_a_million_is_seen() -> None:
    row = {"accepted": 1_000_001, "applied": 1_000_000, "dead": 1, "pending": 0}
    made = plots.bar(row, "accepted", PARTS)
    assert LEAST == made.pieces[1].width
    assert WIDTH == made.pieces[1].x + made.pieces[1].width


def test_nothing_is_drawn_of_nothing() -> None:
    made = plots.bar({"accepted": 0, "applied": 0, "dead": 0, "pending": 0}, "accepted", PARTS)
    assert (0.0, [0, 0, 0]) == (made.length, [one.count for one in made.pieces])


@given(st.lists(st.integers(0, 10**7), min_size=3, max_size=3), st.integers(0, 10**7))
def test_no_bar_is_wider_than_its_box(counts: list[int], missing: int) -> None:
    row = {"accepted": sum(counts) + missing, **dict(zip(PARTS, counts, strict=True))}
    made = plots.bar(row, "accepted", PARTS)
    widest = max(one.x + one.width for one in [*made.pieces, *([made.gap] if made.gap else [])])
    assert widest <= WIDTH + 0.1
    assert all(one.width >= 0 for one in made.pieces)


def test_a_plot_leaves_out_the_stride_that_is_not_over() -> None:
    made = plots.plot({"came": [0, 30, 60, 7]}, stride=30, width=100, height=10)
    assert 2 == made.top
    assert "M0.0,10.0 50.0,5.0 100.0,0.0" == made.lines["came"]
    assert [[0.0], [1.0], [2.0]] == made.columns


def test_the_upper_edge_is_a_round_number() -> None:
    tops = [
        plots.plot({"came": [count, 0]}, stride=1, width=1, height=1).top
        for count in (0, 1, 3, 17, 220, 999)
    ]
    assert [0.1, 1, 5, 20, 500, 1000] == tops
