"""The specification's own library and Svix's sign, and judge what our simulated sender signs."""

import base64
import json
from datetime import datetime

import oracle
from standardwebhooks import Webhook
from svix.webhooks import Webhook as Svix

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps({"type": "order.picking", "data": {"order": "1001"}})
PLACES = {"subject": {"ref": "data.order"}, "statuses": {"order.picking": "fulfillment.picking"}}
BRANDS = {
    "webhook": (Webhook, "standardwebhooks 1.1.0 (PyPI), Webhook.sign"),
    "svix": (Svix, "svix 2.9.1 (PyPI), Webhook.sign"),
}


def signed(name, brand, *, secret=SECRET, genuine=True):
    library, by = BRANDS[brand]
    at = datetime.fromisoformat(oracle.AT)
    headers = {
        f"{brand}-id": "msg_1",
        f"{brand}-timestamp": str(oracle.SECONDS),
        f"{brand}-signature": library(secret).sign("msg_1", at, BODY),
    }
    source = {"secrets": [SECRET], **PLACES}
    return oracle.vector(name, by=by, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    other = "whsec_" + base64.b64encode(b"another secret").decode()
    return [
        signed("standard", "webhook"),
        signed("svix", "svix"),
        signed("another secret", "webhook", secret=other, genuine=False),
    ]


def check(each):
    """Their clock is the real one, so the signature is compared with the one they make."""
    headers, body = each["request"]["headers"], each["request"]["body"]
    at = datetime.fromisoformat(each["at"])
    made = Webhook(each["source"]["secrets"][0]).sign(headers["webhook-id"], at, body)
    return made == headers["webhook-signature"]


oracle.main(sign, check)
