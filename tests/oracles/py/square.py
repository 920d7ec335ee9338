"""Square's own verifier, which only verifies: what it takes and refuses of signed requests."""

import base64
import hmac
import json

import oracle
from square.utils.webhooks_helper import verify_signature

BY = "squareup 46.0.0.20260916 (PyPI), square.utils.webhooks_helper.verify_signature"
HEADER = "x-square-hmacsha256-signature"
URL = "https://hooks.example.com/webhooks/tested"
BODY = json.dumps(
    {
        "type": "payment.updated",
        "event_id": "6a8f5f28-54a1-4eb0-a98a-3111513fd4fc",
        "created_at": "2026-01-15T10:30:04Z",
        "data": {"object": {"payment": {"id": "p-1", "status": "COMPLETED", "note": "Tēja"}}},
    },
    ensure_ascii=False,
)


def takes(body, header, key, url):
    return verify_signature(
        request_body=body, signature_header=header, signature_key=key, notification_url=url
    )


def signed(name, *, key="key", shown="key", at=URL, given=URL, body=BODY):
    digest = hmac.digest(shown.encode(), (at + BODY).encode(), "sha256")
    proof = base64.b64encode(digest).decode()
    source = {"secrets": [key]} | ({"options": {"url": given}} if given != URL else {})
    genuine = takes(body, proof, key, given)
    return oracle.vector(
        name, by=BY, source=source, headers={HEADER: proof}, body=body, genuine=genuine, url=URL
    )


def sign():
    proxied = "https://shop.example.com/square?a=1"
    return [
        signed("the configured address"),
        signed("the address the sender was given", at=proxied, given=proxied),
        signed("another address", at=proxied),
        signed("another key", shown="other"),
        signed("another body", body=BODY.replace("p-1", "p-2")),
    ]


def check(each):
    request = each["request"]
    return takes(
        request["body"], request["headers"][HEADER], each["source"]["secrets"][0], request["url"]
    )


oracle.main(sign, check)
