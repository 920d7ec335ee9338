"""LiqPay as a sender: a payment that moves, in base64 and signed."""

from base64 import b64encode
from dataclasses import replace
from urllib.parse import urlencode

from service.intake.provider import SignedRequest
from service.intake.providers.payments import liqpay
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, as_form, told
from service.sandbox.senders.signing import hashing
from service.settings import Source

WORDS = {
    "awaiting_payment": "wait_secure",
    "authorized": "hold_wait",
    "paid": "success",
    "failed": "failure",
    "partially_refunded": "reversed",
}


def _event(status: str, occasion: Occasion) -> Object:
    at = int(occasion.at.timestamp() * 1000)
    data: Object = {
        "payment_id": 165629,
        "action": "pay",
        "status": status,
        "version": 3,
        "type": "buy",
        "paytype": "card",
        "public_key": "i000000",
        "order_id": occasion.order,
        "liqpay_order_id": "NYMK3AE61501685438251925",
        "amount": float(occasion.amount),
        "currency": occasion.currency,
        "create_date": at - 22000,
        "end_date": at,
        "transaction_id": 165629,
    }
    if status == "reversed":
        data["refund_amount"] = round(float(occasion.amount) / 4, 2)
    if status == "failure":
        data["err_code"] = "limit"
    return data


def _dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = as_form(source, body, delivery)
    return replace(draft, body=urlencode({"data": b64encode(body).decode()}).encode())


SENDER = Sender(
    liqpay.PRESET.name,
    hashing.fields(liqpay.PROOF, signs_body=True),
    told(_event, WORDS, ref="order_id"),
    usual="paid",
    dress=_dress,
)
