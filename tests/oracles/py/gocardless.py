"""GoCardless's own parser, which only verifies: what it takes and refuses of signed requests."""

import hmac
import json

import oracle
from gocardless_pro import webhooks
from gocardless_pro.errors import InvalidSignatureError

BY = "gocardless_pro 3.22.0 (PyPI), gocardless_pro.webhooks.parse"
HEADER = "Webhook-Signature"
EVENT = {
    "id": "EV1",
    "resource_type": "payments",
    "action": "confirmed",
    "links": {"payment": "PM1"},
}
BODY = json.dumps({"events": [EVENT, {**EVENT, "id": "EV2"}], "meta": {"webhook_id": "WB1"}})


def takes(body, header, secret):
    try:
        return len(webhooks.parse(body, secret, header)) == len(json.loads(body)["events"])
    except InvalidSignatureError:
        return False


def signed(name, *, shown="secret", body=BODY):
    proof = hmac.digest(shown.encode(), BODY.encode(), "sha256").hex()
    genuine = takes(body, proof, "secret")
    source, headers = {"secrets": ["secret"]}, {HEADER: proof}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=body, genuine=genuine)


def sign():
    return [
        signed("a batch"),
        signed("another secret", shown="other"),
        signed("another body", body=BODY.replace("PM1", "PM2")),
    ]


def check(each):
    request = each["request"]
    return takes(request["body"], request["headers"][HEADER.lower()], each["source"]["secrets"][0])


oracle.main(sign, check)
