"""Checkout.com as a sender: payments, refunds and disputes, signed."""

from service.intake.providers.payments import checkoutcom
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "authorized": "payment_approved",
    "paid": "payment_captured",
    "failed": "payment_declined",
    "partially_refunded": "payment_refunded",
    "refund_failed": "payment_refund_declined",
    "chargeback": "dispute_received",
}


def _event(kind: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    share = 40 if "refund" in kind else 100
    thing = _dispute(occasion) if kind.startswith("dispute_") else _payment(kind, occasion)
    moved: Object = {
        "amount": int(occasion.amount * 100) * share // 100,
        "currency": occasion.currency,
        "processed_on": at,
    }
    return {
        "id": occasion.key,
        "type": kind,
        "version": "1.0.0",
        "created_on": at,
        "data": {**thing, **moved},
        "_links": {},
    }


def _payment(kind: str, occasion: Occasion) -> Object:
    action = "refund" if "refund" in kind else kind
    return {
        "id": token("pay_", occasion.order),
        "action_id": token("act_", f"{action} {occasion.order}"),
        "reference": occasion.order,
        "metadata": {"order_no": occasion.order},
    }


def _dispute(occasion: Occasion) -> Object:
    return {
        "id": token("dsp_", occasion.order),
        "payment_id": token("pay_", occasion.order),
    }


SENDER = Sender(
    checkoutcom.PRESET.name, schemes.signer(checkoutcom.SCHEME), told(_event, WORDS), usual="paid"
)
