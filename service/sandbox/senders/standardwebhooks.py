"""A sender that signs by Standard Webhooks: the source's own mapping, signed so."""

from collections.abc import Mapping
from functools import partial

from service.intake.provider import SignedRequest
from service.intake.providers.anyone import standardwebhooks
from service.sandbox.senders import generic, standard
from service.sandbox.senders.occasion import Delivery, Occasion, Sample, Sender
from service.settings import Source


def sign(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    return SignedRequest(standard.headers(source, body, delivery), body)


def _mapped(make: Sample, source: Source, occasion: Occasion) -> bytes:
    return make(standardwebhooks.placed(source), occasion)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_mapped, make) for name, make in generic.SAMPLES.items()
}

SENDER = Sender(standardwebhooks.NAME, sign, SAMPLES)
