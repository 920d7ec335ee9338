"""Words of the configuration (addresses, durations, sizes, expressions …) as typed values."""

import re
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import jmespath
from jmespath.functions import Functions
from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator
from pydantic_core import PydanticCustomError

from service.settings.problems import refusal

UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
QUIET_LEAST, QUIET_MOST = timedelta(minutes=1), timedelta(days=30)
SIZES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class Address(NamedTuple):
    """Where to listen; port 0 lets the system choose."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(value: object) -> Address:
    if isinstance(value, Address):
        return value
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\s:\[\]]+)):(\d{1,5})", _text(value))
    if found is None or int(found[3]) > 65535:
        raise refusal(
            "This is not an address to listen on.",
            'Write "HOST:PORT", as in "127.0.0.1:8080" or "[::1]:8080".',
        )
    return Address(found[1] or found[2], int(found[3]))


def parse_duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", _text(value))
    if found is None:
        raise refusal(
            "This is not a duration.",
            'Write a whole number and a unit (ms, s, m, h, d) in quotes, as in "10m".',
        )
    return int(found[1]) * UNITS[found[2]]


def parse_silence(value: object) -> Literal["auto", "off"] | timedelta:
    """`auto`, `off`, or how long nothing may be heard."""
    match value:
        case "auto":
            return "auto"
        case "off":
            return "off"
        case _:
            allowed = _duration(value)
    if allowed is None or not QUIET_LEAST <= allowed <= QUIET_MOST:
        raise refusal(
            "This is neither a word for silence nor a duration from 1m to 30d.",
            'Write "auto", "off" or how long nothing may be heard, as in "2h".',
        )
    return allowed


def _duration(value: object) -> timedelta | None:
    try:
        return parse_duration(value)
    except PydanticCustomError:
        return None


def parse_size(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = re.fullmatch(r"(\d{1,12})(B|KiB|MiB|GiB)", _text(value))
    if found is None:
        raise refusal(
            "This is not a size.",
            'Write a whole number and a unit (B, KiB, MiB, GiB) in quotes, as in "256KiB".',
        )
    return int(found[1]) * SIZES[found[2]]


def parse_network(value: object) -> IPv4Network | IPv6Network:
    if isinstance(value, IPv4Network | IPv6Network):
        return value
    try:
        return ip_network(_text(value))
    except ValueError:
        raise refusal(
            "This is not an IP network.",
            'Write an address or a network without host bits, as in "10.0.0.0/8" or "::1".',
        ) from None


def parse_path(value: object) -> Path:
    if isinstance(value, Path):
        return value
    text = _text(value)
    if not text or "\0" in text:
        raise refusal("This is not a path.", 'Write a path in quotes, as in "/var/lib/orderhook".')
    return Path(text)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def between(low: str, high: str) -> AfterValidator:
    """Bounds of a duration, as the words a person would write."""
    least, most = parse_duration(low), parse_duration(high)

    def check(value: timedelta) -> timedelta:
        if not least <= value <= most:
            raise refusal("This duration is out of bounds.", f"Choose between {low} and {high}.")
        return value

    return AfterValidator(check)


def sized(low: str, high: str) -> AfterValidator:
    least, most = parse_size(low), parse_size(high)

    def check(value: int) -> int:
        if not least <= value <= most:
            raise refusal("This size is out of bounds.", f"Choose between {low} and {high}.")
        return value

    return AfterValidator(check)


def matching(pattern: str, what: str, remedy: str) -> AfterValidator:
    def check(value: str) -> str:
        if re.fullmatch(pattern, value) is None:
            raise refusal(what, remedy)
        return value

    return AfterValidator(check)


def check_expression(value: str) -> str:
    """A JMESPath that compiles and calls only functions that exist."""
    try:
        tree = jmespath.compile(value).parsed
    except (ValueError, RecursionError):
        raise refusal(
            f"The JMESPath {value[:80]!r} does not compile.",
            "Quote keys with other characters than letters, digits and _, as in '\"order-no\"'.",
        ) from None
    unknown = sorted(_functions(tree) - Functions.FUNCTION_TABLE.keys())
    if unknown:
        raise refusal(
            f"The JMESPath {value[:80]!r} calls {unknown[0]}(), which does not exist.",
            "Use the functions of the JMESPath specification.",
        )
    return value


def _functions(node: object) -> set[str]:
    if not isinstance(node, dict):
        return set()
    inner = set[str]().union(*(_functions(child) for child in node.get("children", ())))
    return inner | {node["value"]} if node["type"] == "function_expression" else inner


def check_key(value: str) -> str:
    """A JMESPath, or `header:Name`."""
    if not value.startswith("header:"):
        return check_expression(value)
    if re.fullmatch(HEADER, value.removeprefix("header:")) is None:
        raise refusal("This is not the name of a header.", 'Write it like "header:X-Event-Id".')
    return value


def check_zone(value: str) -> str:
    try:
        # "UTC" must work on systems without a time zone database.
        _ = value == "UTC" or ZoneInfo(value)
    except (ValueError, LookupError, OSError):
        raise refusal(
            f"The time zone {value!r} is not known on this system.",
            'Use a name of the IANA database, as in "Europe/Berlin"; "UTC" always works.',
        ) from None
    return value


def check_time_format(value: str) -> str:
    """A named format, or a pattern of strptime that tells at least the day."""
    if value not in TIME_FORMATS and not _is_pattern(value):
        raise refusal(
            f"{value[:80]!r} is neither a named format of times nor a pattern that tells the day.",
            'Write "auto", "iso", "unix", "unix_ms" or a pattern, as in "%d.%m.%Y %H:%M:%S"; '
            "a zone is %z (not %Z), or the key timezone.",
        )
    return value


def _is_pattern(value: str) -> bool:
    try:
        same = datetime.strptime(_SAMPLE.strftime(value), value)  # noqa: DTZ007  # only the day counts
    except (ValueError, re.error, RecursionError):
        return False
    return "%Z" not in value and len(value) <= MAX_PATTERN and same.date() == _SAMPLE.date()


TIME_FORMATS = ("auto", "iso", "unix", "unix_ms")
MAX_PATTERN = 64
_SAMPLE = datetime(2031, 10, 25, 13, 14, 15, 123456, tzinfo=UTC)


def check_url(value: str) -> str:
    """An absolute http(s) URL that carries no password and no fragment."""
    try:
        parts = urlsplit(value)
        sound = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or re.search(r"[\s#\x00-\x1f]", value):
        raise refusal(
            "This is not a web address.", 'Write it in full, as in "https://crm.example.com/hook".'
        )
    if "@" in urlsplit(value).netloc:
        raise refusal(
            "The address carries a user name or a password.",
            "Take it out of the address; secrets go into the secret or token key.",
        )
    return value


HEADER = r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}"
NAME = r"[a-z][a-z0-9-]{0,39}"
NAME_REMEDY = "Take a lower-case letter, then up to 39 lower-case letters, digits or hyphens."

WORD = r"[a-z][a-z0-9_]{0,39}"
WORD_REMEDY = "Take a lower-case letter, then up to 39 lower-case letters, digits or underscores."

Listen = Annotated[Address, PlainValidator(parse_address), PlainSerializer(str)]
Duration = Annotated[timedelta, BeforeValidator(parse_duration)]
Silence = Annotated[Literal["auto", "off"] | timedelta, PlainValidator(parse_silence)]
Size = Annotated[int, BeforeValidator(parse_size)]
Network = Annotated[IPv4Network | IPv6Network, BeforeValidator(parse_network)]
Directory = Annotated[Path, BeforeValidator(parse_path)]
Expression = Annotated[str, AfterValidator(check_expression)]
Key = Annotated[str, AfterValidator(check_key)]
Zone = Annotated[str, AfterValidator(check_zone)]
Url = Annotated[str, AfterValidator(check_url)]
OptionalExpression = Annotated[str, AfterValidator(lambda value: value and check_expression(value))]
OptionalUrl = Annotated[str, AfterValidator(lambda value: value and check_url(value))]
Name = Annotated[
    str,
    matching(
        NAME,
        "This is not a usable name.",
        NAME_REMEDY,
    ),
]
Word = Annotated[str, matching(WORD, "This is not a usable word.", WORD_REMEDY)]
Header = Annotated[
    str,
    matching(HEADER, "This is not the name of a header.", 'Write it like "X-Signature".'),
]
Parameter = Annotated[
    str,
    matching(r"[!-~]{1,64}", "This is not the name of a parameter.", 'Write it like "challenge".'),
]
MediaType = Annotated[
    str,
    matching(
        r"[a-z]+/[a-z0-9.+-]{1,64}(; ?charset=[a-zA-Z0-9-]{1,20})?",
        "This is not a media type.",
        'Write it like "application/json".',
    ),
]
TimeFormat = Annotated[str, AfterValidator(check_time_format)]
Normalizer = Annotated[
    str,
    matching(
        r"trim|upper|lower|strip_prefix:.+",
        "This is not a known step.",
        'Known steps are "trim", "upper", "lower" and "strip_prefix:TEXT".',
    ),
]
