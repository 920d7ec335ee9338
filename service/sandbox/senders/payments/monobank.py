"""Monobank as a sender: an invoice that moves, signed with the merchant's key."""

from dataclasses import replace

from service.intake.providers.payments import monobank
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import keys, publickeys

WORDS = {
    "awaiting_payment": "processing",
    "authorized": "hold",
    "paid": "success",
    "failed": "failure",
    "partially_refunded": "partly",
    "refunded": "reversed",
}


def _event(word: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    amount = int(occasion.amount * 100)
    back = {"partly": amount // 4, "reversed": amount}.get(word, 0)
    body: Object = {
        "invoiceId": token("p2_", occasion.order)[:12],
        "status": "success" if word == "partly" else word,
        "amount": amount,
        "ccy": 980,
        "finalAmount": amount - back if word in ("success", "partly", "reversed") else 0,
        "createdDate": at,
        "modifiedDate": at,
        "reference": occasion.order,
        "paymentInfo": {"maskedPan": "444403******1902", "rrn": "060189181768"},
    }
    if back:
        cancelled: Object = {"status": "success", "amount": back, "ccy": 980, "createdDate": at}
        body["cancelList"] = [cancelled]
    if word == "failure":
        body["failureReason"] = "Insufficient funds"
    return body


SENDER = Sender(
    monobank.PRESET.name,
    # The key is held, not fetched, so that a source needs no token to be tried.
    replace(publickeys.signer(monobank.SCHEME), keys=keys.ec_pem),
    told(_event, WORDS, ref="reference"),
    usual="paid",
)
