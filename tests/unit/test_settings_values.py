"""Words of the configuration become typed values, or a sentence says why not."""

from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.settings import values
from service.settings.values import UNITS, Address


@pytest.mark.parametrize(
    ("parse", "text", "expected"),
    [
        (values.parse_address, "127.0.0.1:8080", Address("127.0.0.1", 8080)),
        (values.parse_address, "[::1]:0", Address("::1", 0)),
        (values.parse_address, "localhost:65535", Address("localhost", 65535)),
        (values.parse_duration, "250ms", timedelta(milliseconds=250)),
        (values.parse_duration, "5s", timedelta(seconds=5)),
        (values.parse_duration, "7d", timedelta(days=7)),
        (values.parse_size, "256KiB", 262144),
        (values.parse_size, "1MiB", 1048576),
        (values.parse_size, 100, 100),
        (values.parse_network, "10.0.0.0/8", ip_network("10.0.0.0/8")),
        (values.parse_network, "::1", ip_network("::1/128")),
        (values.check_expression, "items[?a == 'b'].c | [0]", "items[?a == 'b'].c | [0]"),
        (values.check_key, "header:X-Event-Id", "header:X-Event-Id"),
        (values.check_zone, "UTC", "UTC"),
        (values.check_url, "http://127.0.0.1:9/x?y=1", "http://127.0.0.1:9/x?y=1"),
    ],
)
def test_what_a_person_would_write_is_understood(
    parse: Callable[[object], object], text: object, expected: object
) -> None:
    assert expected == parse(text)


@pytest.mark.parametrize(
    ("parse", "value"),
    [
        *[
            (values.parse_address, bad)
            for bad in ("", "8080", ":80", "h:65536", "::1:80", "h:-1", 1)
        ],
        *[(values.parse_duration, bad) for bad in ("", "5", "5 s", "-5s", "1.5h", "5S", "1w", 300)],
        *[(values.parse_size, bad) for bad in ("", "1KB", "1.5MiB", "-1B", "1 KiB", True, None)],
        *[(values.parse_network, bad) for bad in ("", "10.0.0.1/8", "host", 1)],
        *[(values.check_expression, bad) for bad in ("", "a-b", "a[", "nope(a)", "(" * 2000)],
        *[(values.check_key, bad) for bad in ("header:", "header:a b", "a-b")],
        *[(values.check_zone, bad) for bad in ("", "Mars/Base", "../etc/passwd", "Europe")],
        *[
            (values.check_url, bad)
            for bad in (
                "",
                "crm",
                "ftp://x",
                "http://",
                "http://u:p@h/",
                "http://h/#x",
                "http://h y",
            )
        ],
    ],
)
def test_what_cannot_be_meant_is_refused(parse: Callable[[object], object], value: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse(value)


@given(st.integers(0, 999_999), st.sampled_from(sorted(UNITS)))
def test_every_whole_number_with_a_unit_is_a_duration(number: int, unit: str) -> None:
    assert number * UNITS[unit] == values.parse_duration(f"{number}{unit}")


@given(st.from_regex(r"[a-z.]{1,20}|[0-9a-f:]*:[0-9a-f:]*", fullmatch=True), st.integers(0, 65535))
def test_an_address_reads_back_what_it_prints(host: str, port: int) -> None:
    address = Address(host, port)
    assert address == values.parse_address(str(address))
