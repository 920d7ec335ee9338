"""What a sample tells of, and what all samples are written with."""

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.intake.reading.paths import JSON
from service.settings import Source

Object = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a sample is about; equal occasions give equal bytes."""

    order: str
    at: datetime
    key: str
    """The sender's own id of the event; the same id again is a duplicate."""
    amount: Decimal = Decimal("149.90")
    currency: str = "EUR"


Sample = Callable[[Source, Occasion], bytes]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One sending of a body: when, under which id of the sender, and which sample it is."""

    at: datetime
    key: str = ""
    sample: str = ""
    """Some senders say in a header what the body is about; empty where a body was given."""


class Sign(Protocol):
    """Adds what proves the sender to a body."""

    def __call__(self, source: Source, body: bytes, delivery: Delivery, /) -> SignedRequest: ...


@dataclass(frozen=True, slots=True)
class Sender:
    """One simulated sender."""

    provider: str
    sign: Sign
    samples: Mapping[str, Sample]
    """What makes a sample's body for a source, by the sample's name."""


def token(prefix: str, text: str) -> str:
    """Make an id up that looks random and is always the same."""
    return f"{prefix}{hashlib.sha256(text.encode()).hexdigest()[:24]}"


_STEP = r'(?:[A-Za-z_]\w*|"[^"\\]+")'
_STEPS = re.compile(rf"{_STEP}(?:\.{_STEP})*")


def put(document: Object, expression: str, value: JSON) -> None:
    """Write a value where a plain JMESPath (the first of several joined by ||) will find it."""
    path = expression.split("||", maxsplit=1)[0].strip()
    if _STEPS.fullmatch(path) is None:
        raise ConfigurationError(
            f"No sample can be made for the JMESPath {expression!r}; send a body of your own."
        )
    *parents, last = (step.strip('"') for step in re.findall(_STEP, path))
    for step in parents:
        inner = document.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"Two paths of the source meet at {step!r} of {path!r}.")
        document = inner
    document[last] = value
