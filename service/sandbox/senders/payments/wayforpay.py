"""WayForPay as a sender: a payment that moves, with its signature."""

from service.intake.providers.payments import wayforpay
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "awaiting_payment": "Pending",
    "authorized": "WaitingAuthComplete",
    "paid": "Approved",
    "failed": "Declined",
    "cancelled": "Voided",
    "partially_refunded": "Refunded",
}


def _event(status: str, occasion: Occasion) -> Object:
    at = int(occasion.at.timestamp())
    body: Object = {
        "merchantAccount": "test_merch_n1",
        "orderReference": occasion.order,
        "amount": float(occasion.amount),
        "currency": occasion.currency,
        "authCode": "541963" if status == "Approved" else "",
        "createdDate": at - 30,
        "processingDate": at,
        "cardPan": "41****8217",
        "cardType": "visa",
        "transactionStatus": status,
        "reason": "Declined To Card Issuer" if status == "Declined" else "Ok",
        "reasonCode": 1101 if status == "Declined" else 1100,
        "fee": 0,
        "paymentSystem": "card",
    }
    if status == "Refunded":
        body["refundAmount"] = round(float(occasion.amount) / 4, 2)
    return body


SENDER = Sender(
    wayforpay.PRESET.name,
    schemes.signer(wayforpay.SCHEME),
    told(_event, WORDS, ref="orderReference"),
    usual="paid",
)
