"""Simulated senders: a source and an occasion in, what its provider would post out."""

from collections.abc import Mapping
from datetime import datetime

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.sandbox.senders import (
    cdek,
    generic,
    samsara,
    shipbob,
    shopify,
    standardwebhooks,
    stripe,
)
from service.sandbox.senders.occasion import Delivery, Occasion, Sample, Sender
from service.settings import Source

__all__ = ["SAMPLES", "Occasion", "Sample", "sample", "sign"]

SENDERS: Mapping[str, Sender] = {
    sender.provider: sender
    for sender in (
        stripe.SENDER,
        shopify.SENDER,
        shipbob.SENDER,
        cdek.SENDER,
        samsara.SENDER,
        standardwebhooks.SENDER,
        generic.SENDER,
    )
}

SAMPLES: Mapping[str, Mapping[str, Sample]] = {
    name: sender.samples for name, sender in SENDERS.items()
}
"""Per provider: the sample's name, and what makes its body for a source."""


def sign(
    source: Source, body: bytes, *, at: datetime, key: str = "", sample: str = ""
) -> SignedRequest:
    """Sign as the provider would, with the first (newest) secret.

    `key` and `sample` fill the headers in which some senders name the event and its kind.
    """
    if source.provider not in SENDERS:
        raise ConfigurationError(
            f"There is no simulated sender for the provider {source.provider}."
        )
    return SENDERS[source.provider].sign(source, body, Delivery(at, key, sample))


def sample(source: Source, name: str, occasion: Occasion) -> bytes:
    """Make the named sample of the source's provider."""
    known = SAMPLES.get(source.provider, {})
    if name not in known:
        names = ", ".join(known) or "none"
        raise ConfigurationError(f"{source.provider} has no sample {name}; there is: {names}.")
    return known[name](source, occasion)
