"""Mollie as a sender of its classic webhooks: only the id of a payment, at a secret address."""

from service.intake.providers.payments import mollieclassic
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

WORDS = {"paid": "tr_", "failed": "tr_"}


def _event(prefix: str, occasion: Occasion) -> Object:
    return {"id": token(prefix, occasion.order)}


SENDER = Sender(
    mollieclassic.PRESET.name,
    schemes.signer(mollieclassic.SCHEME),
    told(_event, WORDS, form="form"),
    usual="paid",
    dress=as_form,
    rules={"token": "test_key"},
)
