"""Fondy as a sender: an order that moves, with its hash."""

from service.intake.providers.payments import fondy
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "awaiting_payment": "processing",
    "authorized": "hold",
    "paid": "approved",
    "failed": "declined",
    "cancelled": "expired",
    "partially_refunded": "reversed",
}


def _event(word: str, occasion: Occasion) -> Object:
    amount = int(occasion.amount * 100)
    body: Object = {
        "order_id": occasion.order,
        "payment_id": 51247263,
        "merchant_id": 1396424,
        "order_status": "approved" if word == "hold" else word,
        "amount": str(amount),
        "currency": occasion.currency,
        "reversal_amount": str(amount // 4) if word == "reversed" else "0",
        "masked_card": "444455XXXXXX1111",
        "payment_system": "card",
        "order_time": occasion.at.strftime("%d.%m.%Y %H:%M:%S"),
        "response_description": "Insufficient funds" if word == "declined" else "",
        "rrn": "",
    }
    if word == "hold":
        body |= {"preauth": "Y", "capture_status": "hold"}
    return body


SENDER = Sender(
    fondy.PRESET.name,
    schemes.signer(fondy.AS_JSON),
    told(_event, WORDS, ref="order_id"),
    usual="paid",
)
