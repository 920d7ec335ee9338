"""Adobe Commerce as a sender: an order in a state, signed over the base64 of the body."""

from service.intake.providers.shops import adobecommerce
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "new": "new",
    "awaiting_payment": "pending_payment",
    "paid": "processing",
    "shipped": "shipment",
    "partially_refunded": "creditmemo",
    "completed": "complete",
    "refunded": "closed",
    "cancelled": "canceled",
}


def _event(word: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%d %H:%M:%S")
    documents: dict[str, Object] = {
        "shipment": {"increment_id": "000000009", "updated_at": at},
        "creditmemo": {"increment_id": "000000004", "grand_total": "9.9000", "updated_at": at},
    }
    unpaid = word in ("new", "pending_payment", "canceled")
    order: Object = {
        "entity_id": str(int(token("", occasion.order)[:7], 16)),
        "state": "processing" if word in documents else word,
        "status": word,
        "grand_total": f"{occasion.amount}00",
        "order_currency_code": occasion.currency,
        "total_paid": None if unpaid else f"{occasion.amount}00",
        "total_refunded": f"{occasion.amount}00" if word == "closed" else None,
        "updated_at": at,
    }
    event: Object = {"order": order}
    if word in documents:
        event[word] = documents[word]
    return event


SENDER = Sender(
    adobecommerce.PRESET.name,
    schemes.signer(adobecommerce.SCHEME),
    told(_event, WORDS, ref="order.increment_id"),
    usual="paid",
)
