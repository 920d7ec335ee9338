"""Where a time line is drawn: marks by when they happened, apart, within the drawing, in rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from service.web.console.timeline import MOST_MARKS, WIDE, Drawing, draw

AT = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
LANES = ["payment", "fulfillment", "delivery"]


def _step(seconds: float, **said: Any) -> dict[str, Any]:
    at = AT + timedelta(seconds=seconds)
    return {
        "kind": "event",
        "event_id": "e",
        "source": "shop",
        "parcel": None,
        "lane": "payment",
        "status": "paid",
        "occurred_at": at,
        "received_at": at,
        "outcome": "applied",
        "reason": "",
        "actor": None,
        "events": 1,
        **said,
    }


def _draw(
    *steps: dict[str, Any], versions: tuple[tuple[float, str], ...] = (), **body: Any
) -> Drawing:
    moved = [
        {"occurred_at": AT + timedelta(seconds=at), "at": AT, "status": status}
        for at, status in versions
    ]
    return draw({"history": list(steps), "versions": moved, "lanes": {}, **body}, LANES)


def test_nothing_is_drawn_of_nothing() -> None:
    drawing = _draw()
    assert ([], [], None) == (list(drawing.rows), list(drawing.marks), drawing.begins)


def test_marks_stand_by_when_they_happened_not_by_when_they_came() -> None:
    drawing = _draw(_step(7200, status="paid"), _step(0, status="authorized"), _step(60))
    assert [1, 2, 0] == [mark.number for mark in sorted(drawing.marks, key=lambda each: each.x)]


def test_long_silences_are_shortened() -> None:
    drawing = _draw(_step(0), _step(60), _step(60 + 86_400 * 30))
    [a, b, c] = [mark.x for mark in drawing.marks]
    assert 1 < (c - b) / (b - a) < 20
    assert [(1, "min"), (30, "d")] == [(gap.amount, gap.unit) for gap in drawing.gaps]


def test_marks_of_one_moment_and_row_stand_beside_each_other() -> None:
    drawing = _draw(_step(0), _step(0, status="refunded"), _step(0, lane="delivery"))
    [a, b, c] = drawing.marks
    assert a.x < b.x
    assert (a.y, a.x) == (b.y, c.x)


def test_lanes_stand_in_the_order_of_the_lifecycle_with_their_parcels_below() -> None:
    drawing = _draw(
        _step(0, lane="delivery", parcel="P2"),
        _step(1, lane="unknown"),
        _step(2),
        _step(3, lane=None, status=None),
        _step(4, kind="merge", lane=None),
        _step(5, kind="correction", lane="fulfillment", status="packed"),
    )
    assert [
        ("payment", "", False),
        ("fulfillment", "", False),
        ("delivery", "", False),
        ("delivery", "P2", False),
        ("unknown", "", False),
        ("", "", False),
        ("", "", True),
    ] == [(row.name, row.parcel, row.people) for row in drawing.rows]


def test_only_what_was_applied_moves_a_lane() -> None:
    drawing = _draw(
        _step(0, status="authorized"),
        _step(3600, status="failed", outcome="superseded"),
        _step(7200, status="paid"),
    )
    [first, last] = drawing.spans
    assert ("authorized", "paid") == (first.whole, last.whole)
    assert first.x + first.width == last.x
    assert last.x + last.width == drawing.right


def test_the_overall_status_never_goes_back_in_time() -> None:
    drawing = _draw(_step(0), _step(100), versions=((100, "shipped"), (0, "paid")))
    assert ["paid"] == [each.whole for each in drawing.overall]
    drawing = _draw(_step(0), _step(9000), versions=((0, "new"), (9000, "shipped")))
    assert ["new", "shipped"] == [each.label for each in drawing.overall]


def test_a_purged_history_leaves_its_lanes() -> None:
    drawing = _draw(lanes={"payment": "paid"})
    assert ["payment"] == [row.name for row in drawing.rows]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 1e9),
            st.sampled_from(["payment", "delivery", None]),
            st.sampled_from(["applied", "superseded", "dead", "pending"]),
            st.sampled_from([None, *map(str, range(20))]),
            st.sampled_from(["event", "correction", "link", "base"]),
        ),
        max_size=220,
    )
)
def test_whatever_happened_is_within_the_drawing(said: list[tuple[Any, ...]]) -> None:
    steps = [
        _step(at, lane=lane, outcome=outcome, parcel=parcel, kind=kind)
        for at, lane, outcome, parcel, kind in said
    ]
    drawing = _draw(*steps, versions=tuple((at, "x") for at, *_ in said[:50]))
    assert drawing.width >= WIDE
    assert len(drawing.marks) == min(MOST_MARKS, sum(kind != "base" for *_, kind in said))
    for mark in drawing.marks:
        assert 0 < mark.x
        assert 0 < mark.y < drawing.height
    for span in (*drawing.spans, *drawing.overall):
        assert 0 <= span.width
        assert span.x + span.width <= drawing.width
