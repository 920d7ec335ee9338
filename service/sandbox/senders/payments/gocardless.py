"""GoCardless as a sender: a batch of events about a payment or a refund, signed."""

from service.intake.providers.payments import gocardless
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "awaiting_payment": "payments.submitted",
    "paid": "payments.confirmed",
    "failed": "payments.failed",
    "chargeback": "payments.charged_back",
    "partially_refunded": "refunds.paid",
    "refund_failed": "refunds.failed",
}


def _event(kind: str, occasion: Occasion) -> Object:
    resource, _, action = kind.partition(".")
    links: Object = {"payment": token("PM", occasion.order)}
    if resource == "refunds":
        links["refund"] = token("RF", occasion.order)
    return {
        "events": [
            {
                "id": occasion.key,
                "created_at": occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
                "resource_type": resource,
                "action": action,
                "links": links,
                "details": {"origin": "gocardless", "cause": f"{resource[:-1]}_{action}"},
                "metadata": {"order_no": occasion.order},
            }
        ],
        "meta": {"webhook_id": token("WB", occasion.key)},
    }


SENDER = Sender(
    gocardless.PRESET.name, schemes.signer(gocardless.SCHEME), told(_event, WORDS), usual="paid"
)
