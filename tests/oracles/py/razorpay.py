"""Razorpay's own verifier, which only verifies: what it takes and refuses of signed requests."""

import hmac
import json

import oracle
import razorpay

BY = "razorpay 2.0.1 (PyPI), client.utility.verify_webhook_signature"
HEADER = "X-Razorpay-Signature"
BODY = json.dumps({"entity": "event", "event": "order.paid", "payload": {}, "n": "₹"})
CLIENT = razorpay.Client(auth=("rzp_test_key", "api_secret"))


def takes(body, header, secret):
    try:
        return bool(CLIENT.utility.verify_webhook_signature(body, header, secret))
    except razorpay.errors.SignatureVerificationError:
        return False


def signed(name, *, shown="webhook_secret", body=BODY):
    proof = hmac.digest(shown.encode(), BODY.encode(), "sha256").hex()
    secret = "webhook_secret"
    genuine = takes(body, proof, secret)
    headers = {HEADER: proof, "X-Razorpay-Event-Id": "evt_1"}
    source = {"secrets": [secret]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=body, genuine=genuine)


def sign():
    return [
        signed("the webhook's secret"),
        signed("the secret of the API", shown="api_secret"),
        signed("another body", body=BODY.replace("paid", "void")),
    ]


def check(each):
    request = each["request"]
    return takes(request["body"], request["headers"][HEADER.lower()], each["source"]["secrets"][0])


oracle.main(sign, check)
