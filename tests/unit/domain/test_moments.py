"""Times of every usual shape become UTC moments; whatever is not surely a moment becomes None."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.domain.moments import parse, parse_as

TEN = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
MOSCOW = ZoneInfo("Europe/Moscow")


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-01T10:00:00Z", TEN),
        ("2026-02-01t10:00:00z", TEN),
        (" 2026-02-01 10:00:00 Z\n", TEN),
        ("2026-02-01T13:00:00+03:00", TEN),
        ("2026-02-01T13:00:00+0300", TEN),
        ("2026-02-01T05:00-05", TEN),
        ("2026-02-01 13:00:00.000 +0300", TEN),
        ("20260201T100000Z", TEN),
        ("20260201T1000Z", TEN),
        ("2026-02-01T10:00:00.123456789Z", TEN + timedelta(microseconds=123456)),
        ("2026-02-01T10:00:00,5Z", TEN + timedelta(milliseconds=500)),
        (1769940000, TEN),
        ("1769940000", TEN),
        (1769940000.25, TEN + timedelta(milliseconds=250)),
        ("1769940000.123456", TEN + timedelta(microseconds=123456)),
        (1769940000123, TEN + timedelta(milliseconds=123)),
        ("1769940000123", TEN + timedelta(milliseconds=123)),
        (946684800, datetime(2000, 1, 1, tzinfo=UTC)),
        (946684800000, datetime(2000, 1, 1, tzinfo=UTC)),
        ("2100-12-31T23:59:59Z", datetime(2100, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_usual_shape_is_read(written: object, moment: datetime) -> None:
    assert moment == parse(written)


@pytest.mark.parametrize(
    "written",
    [
        None, True, False, "", "now", [], {}, b"2026-02-01T10:00:00Z",
        "2026-02-01", "20260201", "10:00:00", "2026-02", "2026-W05-7T10:00:00",
        "2026-02-30T10:00:00Z", "2026-02-01T25:00:00Z", "2026-02-01T10:00:00+25:00",
        "2026-02-01T10:00:00Z junk", "2026-02-01x10:00:00Z", "\uff12026-02-01T10:00:00Z",
        "1999-12-31T23:59:59Z", "2101-01-01T00:00:00Z", "2000-01-01T00:00:00+03:00",
        "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00",
        0, -1769940000, 946684799, 4133980800, 4133980800000, 1e300, 10**400,
        float("nan"), float("inf"), "1e9", "NaN", "\uff1169940000", "20260201101500",
    ],
)  # fmt: skip
def test_what_is_not_surely_a_moment_is_none(written: object) -> None:
    assert parse(written) is None


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2026-02-01T13:00:00", TEN),
        ("20260201T130000", TEN),
        ("2026-02-01T10:00:00Z", TEN),
        (1769940000, TEN),
    ],
)
def test_the_zone_counts_only_where_none_is_written(written: object, moment: datetime) -> None:
    assert moment == parse(written, zone=MOSCOW)


def test_an_hour_that_comes_twice_is_taken_the_first_time() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    assert datetime(2026, 10, 25, 0, 30, tzinfo=UTC) == parse("2026-10-25T02:30:00", zone=berlin)


moments = st.datetimes(datetime(2000, 1, 1), datetime(2100, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(moments)
def test_what_python_writes_is_read_back_exactly(moment: datetime) -> None:
    assert moment == parse(moment.isoformat())


@given(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text()
    | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{4})?")
    | st.from_regex(r"\A[0-9]{9,13}(\.[0-9]{1,9})?\Z")
)  # fmt: skip
@example("9999999999999.999999999")
@example(10**5000)
def test_anything_at_all_gives_none_or_a_utc_moment_of_our_years(written: object) -> None:
    moment = parse(written)
    assert moment is None or (moment.tzinfo is UTC and 2000 <= moment.year <= 2100)


@pytest.mark.parametrize(
    ("written", "form", "moment"),
    [
        ("2026-02-01T10:00:00Z", "auto", TEN),
        (1769940000, "auto", TEN),
        ("2026-02-01T13:00:00", "iso", TEN),
        ("2026-02-01t10:00:00z", "iso", TEN),
        (1769940000, "unix", TEN),
        ("1769940000.5", "unix", TEN + timedelta(milliseconds=500)),
        (1769940000123, "unix_ms", TEN + timedelta(milliseconds=123)),
        ("1769940000123.5", "unix_ms", TEN + timedelta(microseconds=123500)),
        ("01.02.2026 13:00", "%d.%m.%Y %H:%M", TEN),
        (" 01.02.2026 13:00\n", "%d.%m.%Y %H:%M", TEN),
        ("01/Feb/26 10:00 AM +0000", "%d/%b/%y %I:%M %p %z", TEN),
        (20260201130000, "%Y%m%d%H%M%S", TEN),
        ("2026-02-02", "%Y-%m-%d", TEN + timedelta(hours=11)),
    ],
)
def test_a_configured_form_is_read_in_the_zone(
    written: object, form: str, moment: datetime
) -> None:
    assert moment == parse_as(written, form, zone=MOSCOW)


@pytest.mark.parametrize(
    ("written", "form"),
    [
        (1769940000, "iso"),
        ("1769940000", "iso"),
        ("2026-02-01T10:00:00Z", "unix"),
        (1769940000123, "unix"),
        (9_999_999_999_999, "unix"),
        ("99999999999999", "unix_ms"),
        (1769940000, "unix_ms"),
        (-1769940000, "unix"),
        (1e300, "unix"),
        (float("nan"), "unix"),
        (True, "unix"),
        (None, "iso"),
        (["2026-02-01T10:00:00Z"], "iso"),
        ("01.02.2026", "%d.%m.%Y %H:%M"),
        ("01.02.1026 10:00", "%d.%m.%Y %H:%M"),
        ("31.02.2026 10:00", "%d.%m.%Y %H:%M"),
        ("01.01.0001 00:00 +2359", "%d.%m.%Y %H:%M %z"),
        ("x" * 65, "%d.%m.%Y"),
        ("0" * 100 + "1", "unix"),
    ],
)
def test_another_form_than_the_configured_one_is_none(written: object, form: str) -> None:
    assert parse_as(written, form, zone=MOSCOW) is None


@given(
    written=st.text(max_size=70) | st.integers() | st.floats() | st.none(),
    form=st.sampled_from(["auto", "iso", "unix", "unix_ms", "%d.%m.%Y %H:%M:%S", "%Y%m%d %z"]),
)
def test_nothing_makes_a_form_raise(written: object, form: str) -> None:
    moment = parse_as(written, form, zone=MOSCOW)
    assert moment is None or (moment.tzinfo is UTC and 2000 <= moment.year <= 2100)
