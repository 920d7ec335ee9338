"""YooKassa as a sender: payments and refunds, at a secret address."""

from service.intake.providers.payments import yookassa
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "authorized": "payment.waiting_for_capture",
    "paid": "payment.succeeded",
    "failed": "payment.canceled",
    "partially_refunded": "refund.succeeded",
}


def _event(kind: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    make = _refund if kind.startswith("refund.") else _payment
    return {"type": "notification", "event": kind, "object": make(kind, occasion, at)}


def _payment(kind: str, occasion: Occasion, at: str) -> Object:
    paid = kind != "payment.canceled"
    thing: Object = {
        "id": token("", occasion.order),
        "status": kind.partition(".")[2],
        "paid": paid,
        "amount": {"value": f"{occasion.amount:.2f}", "currency": occasion.currency},
        "created_at": at,
        "metadata": {"order_id": occasion.order},
        "test": False,
    }
    if kind == "payment.succeeded":
        thing["captured_at"] = at
    if not paid:
        thing["cancellation_details"] = {
            "party": "payment_network",
            "reason": "insufficient_funds",
        }
    return thing


def _refund(_: str, occasion: Occasion, at: str) -> Object:
    return {
        "id": token("r-", occasion.order),
        "payment_id": token("", occasion.order),
        "status": "succeeded",
        "created_at": at,
        "amount": {"value": f"{occasion.amount / 4:.2f}", "currency": occasion.currency},
    }


SENDER = Sender(
    yookassa.PRESET.name,
    schemes.signer(yookassa.SCHEME),
    told(_event, WORDS),
    usual="paid",
)
