"""Amounts are exact, whatever spelling they come in; what is no amount is left out."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.reading.money import Spelling, amount, currency_code, decimals
from service.intake.reading.paths import JSON


@pytest.mark.parametrize(
    ("value", "currency", "spelling", "expected"),
    [
        ("149.90", "EUR", "major", "149.90"),
        (149.9, "EUR", "major", "149.9"),
        (149, "EUR", "major", "149"),
        (1e21, "EUR", "major", None),
        (14990, "EUR", "minor", "149.90"),
        ("14990", "EUR", "minor", "149.90"),
        (150, "JPY", "minor", "150"),
        (1500, "KWD", "minor", "1.500"),
        (150, "JPY", "hundredths", "1.50"),
        (149.5, "EUR", "minor", None),
        (-5, "EUR", "minor", None),
        ("-5.00", "EUR", "major", None),
        ("1,50", "EUR", "major", None),
        ("\uff11\uff15", "EUR", "major", None),
        (True, "EUR", "major", None),
        (None, "EUR", "major", None),
        ({"value": 1}, "EUR", "major", None),
        ("9" * 19, "EUR", "minor", None),
    ],
)
def test_an_amount_is_exact_or_left_out(
    value: JSON, currency: str, spelling: Spelling, expected: str | None
) -> None:
    assert amount(value, currency, spelling) == expected


@given(cents=st.integers(0, 10**17), currency=st.sampled_from(["EUR", "JPY", "KWD"]))
def test_minor_units_lose_nothing(cents: int, currency: str) -> None:
    text = amount(cents, currency, "minor")
    assert text is not None
    assert Decimal(text) * 10 ** decimals(currency) == cents


@pytest.mark.parametrize(
    ("value", "expected"),
    [("eur", "EUR"), (" RUB ", "RUB"), ("EURO", ""), ("Ђур", ""), (978, ""), (None, "")],
)
def test_a_currency_is_three_letters_or_nothing(value: JSON, expected: str) -> None:
    assert currency_code(value) == expected
