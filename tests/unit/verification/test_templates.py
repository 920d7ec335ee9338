"""What a sender signs: times are read strictly, and a preset's mistakes show themselves."""

from datetime import timedelta

import pytest

from service.intake.verification import templates
from service.intake.verification.templates import Template, Unit
from tests.unit.verification.keypairs import NOW, STAMP, request


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (STAMP, "s"),
        (STAMP + "000", "ms"),
        ("2026-01-15T10:30:00Z", "iso"),
        ("2026-01-15 13:30+0300", "iso"),
        ("2026-01-15T10:30:00.000000", "iso"),
        ("Thu, 15 Jan 2026 10:30:00 GMT", "http"),
        ("Thu, 15 Jan 2026 10:30:00 -0000", "http"),
    ],
)
def test_one_moment_reads_the_same_in_every_spelling(text: str, unit: Unit) -> None:
    assert timedelta() == templates.skew(text, unit, now=NOW)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("2026-13-01T10:30:00Z", "iso"),
        ("2026-02-30T10:30:00Z", "iso"),
        ("2026-01-15T25:30:00Z", "iso"),
        ("2026-01-15T10:30:00+99:00", "iso"),
        ("0000-01-15T10:30:00Z", "iso"),
        ("2026-01-15", "iso"),
        ("today", "http"),
        ("", "http"),
        ("Thu, 45 Jan 2026 10:30:00 GMT", "http"),
        ("Thu, 15 Jan 2026 99:30:00 GMT", "http"),
        ("Thu, 15 Jan 99999999999 10:30:00 GMT", "http"),
        ("Thu, 15 Jan 2026 10:30:00 +999999999999", "http"),
    ],
)
def test_a_time_that_cannot_be_is_none(text: str, unit: Unit) -> None:
    assert templates.skew(text, unit, now=NOW) is None


@pytest.mark.parametrize("place", ["", "X-Time", "cookie:time", "pair:t", "Header:X-Time"])
def test_a_place_that_is_not_in_a_request_is_a_mistake_of_the_preset(place: str) -> None:
    with pytest.raises(ValueError, match="no place in a request"):
        templates.find(place, request())


@pytest.mark.parametrize("text", ["{secret}", "{header}", "{body:x}", "{cookie:a}"])
def test_a_placeholder_that_is_not_known_is_a_mistake_of_the_preset(text: str) -> None:
    with pytest.raises(ValueError, match="to sign"):
        Template.of(text)
