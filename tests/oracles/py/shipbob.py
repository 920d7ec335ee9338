"""ShipBob signs by Standard Webhooks; the library of that specification signs for it."""

import base64
import json
from datetime import datetime

import oracle
from standardwebhooks import Webhook

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"reference_id": "1001", "status": "Delivered"})
BY = "standardwebhooks 1.1.0 (PyPI), Webhook.sign"


def signed(name, *, secret=SECRET, genuine=True):
    at = datetime.fromisoformat(oracle.AT)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(oracle.SECONDS),
        "webhook-signature": Webhook(secret).sign("msg_1", at, BODY),
    }
    source = {"secrets": [SECRET]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    other = "whsec_" + base64.b64encode(b"another secret").decode()
    return [
        signed("standard"),
        signed("another secret", secret=other, genuine=False),
    ]


def check(each):
    """Their clock is the real one, so the signature is compared with the one they make."""
    headers, body = each["request"]["headers"], each["request"]["body"]
    at = datetime.fromisoformat(each["at"])
    made = Webhook(each["source"]["secrets"][0]).sign(headers["webhook-id"], at, body)
    return made == headers["webhook-signature"]


oracle.main(sign, check)
