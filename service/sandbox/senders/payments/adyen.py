"""Adyen as a sender: standard webhooks of one item, which carries its own signature."""

from dataclasses import replace

from service.intake.providers.payments import adyen
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import hashing

WORDS: dict[str, tuple[str, str]] = {
    "authorized": ("AUTHORISATION", "true"),
    "failed": ("AUTHORISATION", "false"),
    "paid": ("CAPTURE", "true"),
    "partially_refunded": ("REFUND", "true"),
    "refund_failed": ("REFUND_FAILED", "true"),
    "chargeback": ("CHARGEBACK", "true"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    code, success = word
    payment = token("", f"payment {occasion.order}")[:16].upper()
    first = code == "AUTHORISATION"
    action = "REFUND" if code.startswith("REFUND") else code
    own = token("", f"{action} {occasion.order}")[:16].upper()
    share = 40 if action == "REFUND" else 100
    item: Object = {
        "eventCode": code,
        "success": success,
        "eventDate": occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "pspReference": payment if first else own,
        "merchantAccountCode": "TestMerchant",
        "merchantReference": occasion.order,
        "amount": {
            "value": int(occasion.amount * 100) * share // 100,
            "currency": occasion.currency,
        },
        "paymentMethod": "visa",
        "reason": "",
        "additionalData": {},
    }
    if not first:
        item["originalReference"] = payment
    return {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}


SIGNER = replace(
    hashing.fields(adyen.ITEM),
    proof_at=("json:notificationItems[0].NotificationRequestItem.additionalData.hmacSignature"),
)
SENDER = Sender(adyen.PRESET.name, SIGNER, told(_event, WORDS), usual="authorized")
