"""A sender that signs by Standard Webhooks: the source's own mapping, signed so."""

from collections.abc import Mapping
from functools import partial

from service.intake.providers.anyone import standardwebhooks
from service.sandbox.senders.anyone import generic
from service.sandbox.senders.occasion import Occasion, Sample, Sender
from service.sandbox.senders.signing.standard import STANDARD
from service.settings import Source


def _mapped(make: Sample, source: Source, occasion: Occasion) -> bytes:
    return make(standardwebhooks.placed(source), occasion)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_mapped, make) for name, make in generic.SAMPLES.items()
}

SENDER = Sender(
    standardwebhooks.NAME,
    STANDARD,
    SAMPLES,
    "fulfillment.picking",
    rules={
        "subject": {"ref": "data.order"},
        "statuses": {"order.picking": "fulfillment.picking"},
        "attributes": {"amount": "data.amount"},
    },
)
