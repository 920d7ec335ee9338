"""CloudPayments as a sender: one address for each kind of notification, signed forms."""

from service.intake.provider import SignedRequest
from service.intake.providers.payments import cloudpayments
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

WORDS = {
    "authorized": ("pay", "Authorized"),
    "paid": ("pay", "Completed"),
    "confirmed": ("confirm", "Completed"),
    "failed": ("fail", "Declined"),
    "partially_refunded": ("refund", ""),
    "cancelled": ("cancel", ""),
    "check": ("check", ""),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, status = word
    number = str(int(token("", occasion.order)[:6], 16))
    fields: Object = {
        "TransactionId": number,
        "Amount": f"{occasion.amount:.2f}",
        "Currency": occasion.currency,
        "DateTime": occasion.at.strftime("%Y-%m-%d %H:%M:%S"),
        "InvoiceId": occasion.order,
        "AccountId": "user@example.com",
    }
    if status:
        fields |= {"Status": status, "OperationType": "Payment", "TestMode": "0"}
    if kind == "fail":
        fields |= {"Reason": "InsufficientFunds", "ReasonCode": "5051"}
    if kind == "refund":
        fields |= {
            "TransactionId": f"{number}1",
            "PaymentTransactionId": number,
            "Amount": f"{occasion.amount / 4:.2f}",
        }
    return fields


def _dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    kind, _status = WORDS.get(delivery.sample, WORDS["paid"])
    return SignedRequest({"Content-Type": "application/x-www-form-urlencoded"}, body, tail=kind)


SENDER = Sender(
    cloudpayments.PRESET.name,
    schemes.signer(cloudpayments.SENT),
    told(_event, WORDS, ref="InvoiceId", form="form"),
    usual="paid",
    dress=_dress,
)
