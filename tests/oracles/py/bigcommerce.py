"""The library that BigCommerce's documentation uses signs with its client secret, and judges."""

import base64
import json
from datetime import datetime

import oracle
from standardwebhooks import Webhook

BY = "standardwebhooks 1.1.0 (PyPI), Webhook.sign with base64 of the client secret"
SECRET = "client_secret_1"
BODY = json.dumps(
    {
        "scope": "store/order/statusUpdated",
        "data": {"type": "order", "id": 250, "status": {"new_status_id": 11}},
        "hash": "7ee67cd1cf2ca60bc1aa9e5fe957d2de373be4ca",
        "created_at": 1561479335,
    }
)


def library(secret):
    return Webhook(base64.b64encode(secret.encode()).decode())


def signed(name, secret):
    at = datetime.fromisoformat(oracle.AT)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(oracle.SECONDS),
        "webhook-signature": library(secret).sign("msg_1", at, BODY),
    }
    source, genuine = {"secrets": [SECRET]}, secret == SECRET
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    return [signed("right", SECRET), signed("another secret", "other")]


def check(each):
    """Their clock is the real one, so the signature is compared with the one they make."""
    headers, body = each["request"]["headers"], each["request"]["body"]
    at = datetime.fromisoformat(each["at"])
    made = library(each["source"]["secrets"][0]).sign(headers["webhook-id"], at, body)
    return made == headers["webhook-signature"]


oracle.main(sign, check)
