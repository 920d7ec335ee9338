"""Simulated senders: a source and an occasion in, what its provider would post out."""

from collections.abc import Mapping
from datetime import datetime

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.sandbox.senders.anyone import listed as anyone
from service.sandbox.senders.backoffice import listed as backoffice
from service.sandbox.senders.couriers import listed as couriers
from service.sandbox.senders.crms import listed as crms
from service.sandbox.senders.occasion import Delivery, Occasion, Sample, Sender
from service.sandbox.senders.payments import listed as payments
from service.sandbox.senders.shops import listed as shops
from service.sandbox.senders.telematics import listed as telematics
from service.sandbox.senders.warehouses import listed as warehouses
from service.settings import Source

__all__ = ["SAMPLES", "SENDERS", "Occasion", "Sample", "sample", "sign"]

SENDERS: Mapping[str, Sender] = {
    sender.provider: sender
    for sender in (
        *payments.SENDERS,
        *shops.SENDERS,
        *warehouses.SENDERS,
        *couriers.SENDERS,
        *telematics.SENDERS,
        *backoffice.SENDERS,
        *crms.SENDERS,
        *anyone.SENDERS,
    )
}

SAMPLES: Mapping[str, Mapping[str, Sample]] = {
    name: sender.samples for name, sender in SENDERS.items()
}
"""Per provider: the sample's name, and what makes its body for a source."""


def sign(
    source: Source,
    body: bytes,
    *,
    at: datetime,
    key: str = "",
    sample: str = "",
    base: str = "https://hooks.example.com",
) -> SignedRequest:
    """Sign as the provider would, with the first (newest) secret.

    Where the provider signs with a private key, that key must stand there, not the public one.
    `key` and `sample` fill the headers in which some senders name the event and its kind; `base` is
    the public listener as senders know it.
    """
    if source.provider not in SENDERS:
        raise ConfigurationError(
            f"There is no simulated sender for the provider {source.provider}."
        )
    return SENDERS[source.provider].sign(source, body, Delivery(at, key, sample, base))


def sample(source: Source, name: str, occasion: Occasion) -> bytes:
    """Make the named sample of the source's provider."""
    known = SAMPLES.get(source.provider, {})
    if name not in known:
        names = ", ".join(known) or "none"
        raise ConfigurationError(f"{source.provider} has no sample {name}; there is: {names}.")
    return known[name](source, occasion)
