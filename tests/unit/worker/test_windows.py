"""Reading back by the second: what is asked next, and what is handed out."""

from datetime import UTC, datetime, timedelta

from service.worker.crms import windows
from service.worker.crms.base import Record
from service.worker.crms.windows import Window

AT = datetime(2026, 2, 1, 10, 0, 0, 300_000, tzinfo=UTC)
WHOLE = AT.replace(microsecond=0)


def changed(name: str, seconds: int = 0) -> Record:
    return Record(name, name, "paid", modified_at=WHOLE + timedelta(seconds=seconds))


def test_reading_begins_a_little_before_the_moment_asked_for() -> None:
    assert Window(WHOLE - windows.OVERLAP) == windows.opened(AT, None)


def test_a_last_page_is_handed_out_whole() -> None:
    rows = [changed("a"), changed("b", 1)]
    page = windows.turned(Window(WHOLE), rows, full=False)
    assert (rows, None) == (page.records, page.cursor)


def test_a_cut_page_leaves_its_last_second_to_be_read_alone() -> None:
    rows = [changed("a"), changed("b", 1), changed("c", 1)]
    page = windows.turned(Window(WHOLE), rows, full=True)
    assert rows[:1] == page.records
    following = windows.opened(AT, page.cursor)
    assert Window(WHOLE + windows.SECOND, alone=True) == following
    assert WHOLE + 2 * windows.SECOND == following.before


def test_a_second_is_read_by_id_and_then_left_behind() -> None:
    alone = Window(WHOLE, alone=True)
    page = windows.turned(alone, [changed("a"), changed("b")], full=True)
    more = windows.opened(AT, page.cursor)
    assert Window(WHOLE, alone=True, above="b") == more
    page = windows.turned(more, [changed("c")], full=False)
    assert Window(WHOLE + windows.SECOND) == windows.opened(AT, page.cursor)


def test_moments_are_written_in_the_zone_of_the_vendor() -> None:
    assert "2026-02-01 10:00:00" == windows.spaced(AT)
