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
_COUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,9})?", re.ASCII)
_MAX_TEXT = 64
_READABLE = frozenset((int, float, str))
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


def parse_as(value: object, form: str, *, zone: tzinfo = UTC) -> datetime | None:
    """Read one form only: `auto` (all that `parse` reads), `iso`, `unix`, `unix_ms`, a strptime."""
    text = str(value).strip() if type(value) in _READABLE else ""
    if not 0 < len(text) <= _MAX_TEXT:
        return None
    match form:
        case "auto":
            return parse(value, zone=zone)
        case "iso":
            return None if _UNIX.fullmatch(text) else _parse_text(text.upper(), zone)
        case "unix":
            return _from_count(text, seconds=1)
        case "unix_ms":
            return _from_count(text, seconds=1000)
        case _:
            return _from_pattern(text, form, zone)


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


def _from_count(text: str, *, seconds: int) -> datetime | None:
    """A number that counts `seconds` to the second."""
    if not _COUNT.fullmatch(text):
        return None
    count = Decimal(text) / seconds
    # More would overflow a datetime, and is far beyond our years anyway.
    if count >= _MILLISECONDS_FROM:
        return None
    return _within(_EPOCH + timedelta(microseconds=int(count * 1_000_000)))


def _from_pattern(text: str, pattern: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.strptime(text, pattern)  # noqa: DTZ007  # the zone may be in the pattern
        return _within((moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def _from_iso(text: str, zone: tzinfo) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _within(moment: datetime | None) -> datetime | None:
    return moment if moment and _FIRST_YEAR <= moment.year <= _LAST_YEAR else None
