"""T-Bank as a sender: a payment that moves, with its token."""

from service.intake.providers.payments import tbank
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "authorized": "AUTHORIZED",
    "paid": "CONFIRMED",
    "partially_refunded": "PARTIAL_REFUNDED",
    "refunded": "REFUNDED",
    "cancelled": "CANCELED",
    "failed": "REJECTED",
}


def _event(word: str, occasion: Occasion) -> Object:
    return {
        "TerminalKey": "1234567890DEMO",
        "OrderId": occasion.order,
        "Success": word != "REJECTED",
        "Status": word,
        "PaymentId": 13660,
        "ErrorCode": "1051" if word == "REJECTED" else "0",
        "Amount": int(occasion.amount * 100),
        "CardId": 322264,
        "Pan": "430000******0777",
        "ExpDate": "1130",
        "RebillId": "",
    }


SENDER = Sender(
    tbank.PRESET.name,
    schemes.signer(tbank.SCHEME),
    told(_event, WORDS, ref="OrderId"),
    usual="paid",
)
