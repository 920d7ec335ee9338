"""Times: what a sender wrote comes in, an aware UTC moment of 2000-2100 or None goes out."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
# Seconds and milliseconds of those years share no number, so the size tells the unit.
_MILLISECONDS_FROM = 10_000_000_000
_NUMBERS_END = 10_000_000_000_000

_UNIX = re.compile(r"[0-9]{9,13}(\.[0-9]{1,9})?")
_ISO = re.compile(
    r"""
    ( \d{4}-\d{2}-\d{2} [T\ ] \d{2}:\d{2} (:\d{2}([.,]\d{1,9})?)?
    | \d{8} T \d{4} (\d{2}([.,]\d{1,9})?)?
    )
    (?P<gap>\ ?) (Z | [+-]\d{2}(:?\d{2})?)?
    """,
    re.VERBOSE | re.ASCII,
)


def parse(value: object, *, zone: tzinfo = UTC) -> datetime | None:
    """Read ISO 8601 (`zone` where it names none) or Unix seconds or milliseconds.

    A day without a clock is no moment: None, like everything else that cannot be read for sure.
    """
    match value:
        case bool():
            return None
        case int() | float() if 0 <= value < _NUMBERS_END:
            return _parse_text(str(value), zone)
        case str():
            return _parse_text(value.strip().upper(), zone)
        case _:
            return None


def _parse_text(text: str, zone: tzinfo) -> datetime | None:
    if _UNIX.fullmatch(text):
        return _within(_from_unix(Decimal(text)))
    found = _ISO.fullmatch(text)
    if found is None:
        return None
    gap = slice(*found.span("gap"))
    return _within(_from_iso(text[: gap.start] + text[gap.stop :], zone))


def _from_unix(number: Decimal) -> datetime:
    seconds = number / 1000 if number >= _MILLISECONDS_FROM else number
    return _EPOCH + timedelta(microseconds=int(seconds * 1_000_000))


def _from_iso(text: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _within(moment: datetime | None) -> datetime | None:
    return moment if moment and _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
