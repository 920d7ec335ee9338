"""Amounts as senders write them come in; exact decimal text in major units goes out, or nothing.

The decimal places of currencies are those of ISO 4217 (list one, as of 2026).
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, assert_never

from service.intake.reading.paths import JSON

Spelling = Literal["major", "minor", "hundredths"]
"""`major`: 12.50; `minor`: 1250, by the currency's decimal places; `hundredths`: always by 100."""

WITHOUT_DECIMALS = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW"),
        *("PYG", "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
WITH_THREE = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

_DECIMAL = re.compile(r"\d{1,18}(?:\.\d{1,8})?", re.ASCII)
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """Where an amount stands, and how it is written."""

    place: str
    currency: str = ""
    """The place of its currency, or the currency itself in single quotes; `minor` needs it."""
    spelling: Spelling = "major"
    when: tuple[str, ...] = ()
    """The codes for which it is read; none: all."""


def amount(value: JSON, currency: str, spelling: Spelling) -> str | None:
    """Read an amount that is not negative; never through binary fractions."""
    text = _text(value)
    match spelling:
        case "major":
            return format(Decimal(text), "f") if _DECIMAL.fullmatch(text) else None
        case "minor" | "hundredths":
            if not _WHOLE.fullmatch(text):
                return None
            places = 2 if spelling == "hundredths" else decimals(currency)
            digits = str(int(text)).zfill(places + 1)
            return f"{digits[:-places]}.{digits[-places:]}" if places else digits
        case other:
            assert_never(other)


def _text(value: JSON) -> str:
    match value:
        case bool():
            return ""
        case int():
            return str(value)
        case float():
            # JSON numbers arrive as floats; their shortest spelling is what was sent.
            return format(Decimal(repr(value)), "f")
        case str():
            return value.strip()
        case _:
            return ""


def currency_code(value: JSON) -> str:
    """Read a three-letter code; empty where there is none."""
    text = value.strip().upper() if isinstance(value, str) else ""
    return text if len(text) == 3 and text.isascii() and text.isalpha() else ""


def decimals(currency: str) -> int:
    """Tell how many decimal places ISO 4217 gives a currency."""
    return 0 if currency in WITHOUT_DECIMALS else 3 if currency in WITH_THREE else 2
