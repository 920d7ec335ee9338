"""The vendor's SDK of Fondy: what it signs, takes and refuses."""

import json
from base64 import b64encode
from urllib.parse import urlencode

import oracle
from cloudipsp.helpers import get_signature, is_valid

BY = "cloudipsp 1.0.4 (PyPI), helpers.get_signature and helpers.is_valid"
PAID = {
    "order_id": "A-1001",
    "order_status": "approved",
    "amount": 1500,
    "currency": "USD",
    "merchant_id": 1396424,
    "payment_id": 51247263,
    "reversal_amount": "0",
    "rrn": "",
    "response_description": None,
}


def takes(fields, secret):
    return is_valid(dict(fields), secret, "1.0")


def signed(name, fields, *, secret="test", form=False):
    sent = {key: value for key, value in fields.items() if value is not None} if form else fields
    whole = {**sent, "signature": get_signature(secret, fields, "1.0")}
    body = urlencode(whole) if form else json.dumps(whole)
    return oracle.vector(
        name,
        by=BY,
        source={"secrets": ["test"]},
        headers={},
        body=body,
        genuine=takes(whole, "test"),
    )


def second(name):
    data = b64encode(json.dumps({"order": PAID}).encode()).decode()
    body = json.dumps({"data": data, "signature": get_signature("test", data, "2.0")})
    return oracle.vector(name, by=BY, source={"secrets": ["test"]}, headers={}, body=body)


def sign():
    noted = {**PAID, "response_signature_string": "**********|1500|USD"}
    noted_too = {**noted, "signature": get_signature("test", PAID, "1.0")}
    return [
        signed("paid", PAID),
        signed("a form", PAID, form=True),
        second("protocol 2.0"),
        oracle.vector(
            "the signed text beside it",
            by=BY,
            source={"secrets": ["test"]},
            headers={},
            body=json.dumps(noted_too),
            genuine=takes(noted_too, "test"),
        ),
        signed("another key", PAID, secret="other"),
    ]


def check(each):
    return takes(json.loads(each["request"]["body"]), each["source"]["secrets"][0])


oracle.main(sign, check)
