"""The library of Standard Webhooks signs as third parties say Etsy does, and judges our sender."""

import json
from datetime import datetime
from typing import Any

import oracle
from standardwebhooks import Webhook

BY = "standardwebhooks 1.1.0 (PyPI), Webhook.sign"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
BODY = json.dumps(
    {
        "event_type": "order.paid",
        "resource_url": "https://openapi.etsy.com/v3/application/shops/12345/receipts/54321",
        "shop_id": 42,
    }
)


def signed(name: str, secret: str, *, bare: bool = False) -> dict[str, Any]:
    made = Webhook(secret).sign("msg_1", datetime.fromisoformat(oracle.AT), BODY)
    headers = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(oracle.SECONDS),
        "webhook-signature": made.removeprefix("v1,") if bare else made,
    }
    source, genuine = {"secrets": [SECRET]}, secret == SECRET
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign() -> list[dict[str, Any]]:
    return [
        signed("right", SECRET),
        signed("without the version", SECRET, bare=True),
        signed("another secret", "whsec_" + "AAAA" * 8),
    ]


def check(each: dict[str, Any]) -> bool:
    """Their clock is the real one, so the signature is compared with the one they make."""
    headers, body = each["request"]["headers"], each["request"]["body"]
    at = datetime.fromisoformat(each["at"])
    made = Webhook(each["source"]["secrets"][0]).sign(headers["webhook-id"], at, body)
    return bool(made == headers["webhook-signature"])


oracle.main(sign, check)
