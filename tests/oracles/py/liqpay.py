"""An independent client of LiqPay: what it signs."""

import json
from base64 import b64encode
from urllib.parse import parse_qsl, urlencode

import oracle
from liqpay.liqpay import LiqPay

BY = "liqpay-python3 1.1.2 (PyPI), LiqPay.str_to_sign"
PAID = {
    "payment_id": 165629,
    "action": "pay",
    "status": "success",
    "version": 3,
    "type": "buy",
    "paytype": "card",
    "public_key": "i000000",
    "order_id": "A-1001",
    "liqpay_order_id": "NYMK3AE61501685438251925",
    "amount": 150,
    "currency": "UAH",
    "create_date": 1501757716971,
    "end_date": 1501757738000,
    "transaction_id": 165629,
}


def signature(data, secret):
    return LiqPay("i000000", secret).str_to_sign(secret + data + secret).decode()


def signed(name, document, *, secret="test_secret_123"):
    data = b64encode(json.dumps(document).encode()).decode()
    fields = {"data": data, "signature": signature(data, secret)}
    genuine = secret == "test_secret_123"
    source = {"secrets": ["test_secret_123"]}
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return oracle.vector(
        name, by=BY, source=source, headers=headers, body=urlencode(fields), genuine=genuine
    )


def sign():
    return [
        signed("paid", PAID),
        signed("reversed", {**PAID, "status": "reversed", "refund_amount": 50.5}),
        signed("another key", PAID, secret="other"),
    ]


def check(each):
    fields = dict(parse_qsl(each["request"]["body"]))
    return fields["signature"] == signature(fields["data"], each["source"]["secrets"][0])


oracle.main(sign, check)
