"""Mollie as a sender of the new webhooks: payments, refunds and chargebacks, signed."""

from service.intake.providers.payments import mollie
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "awaiting_payment": "payment.pending",
    "paid": "payment.paid",
    "failed": "payment.failed",
    "partially_refunded": "refund.refunded",
    "refund_failed": "refund.failed",
    "chargeback": "chargeback.received",
}


def _event(kind: str, occasion: Occasion) -> Object:
    resource, _, word = kind.partition(".")
    prefix, share = {"payment": ("tr_", 100), "refund": ("re_", 40), "chargeback": ("chb_", 100)}[
        resource
    ]
    named = token(prefix, occasion.order)
    value = occasion.amount * share / 100
    about: Object = (
        {"metadata": {"order_no": occasion.order}}
        if resource == "payment"
        else {"paymentId": token("tr_", occasion.order)}
    )
    entity: Object = {
        "resource": resource,
        "id": named,
        "status": word,
        "amount": {"currency": occasion.currency, "value": f"{value:.2f}"},
        **about,
    }
    return {
        "resource": "event",
        "id": occasion.key,
        "type": kind,
        "entityId": named,
        "createdAt": occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "_embedded": {"entity": entity},
    }


SENDER = Sender(
    mollie.PRESET.name, schemes.signer(mollie.SCHEME), told(_event, WORDS), usual="paid"
)
