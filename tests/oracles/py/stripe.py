"""Stripe's own library signs, and judges what our simulated sender signs."""

import json

import oracle
from stripe import SignatureVerificationError, WebhookSignature

BY = "stripe 16.1.0 (PyPI), WebhookSignature.generate_signature_header"
SECRET = "whsec_test_secret_123"
BODY = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {}}})


def signed(name, stamp, *, secret=SECRET, genuine=True):
    header = WebhookSignature.generate_signature_header(BODY, secret, stamp)
    headers = {"Stripe-Signature": header}
    source = {"secrets": [SECRET]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    return [
        signed("now", oracle.SECONDS),
        signed("at the edge of the tolerance", oracle.SECONDS - 300),
        signed("too old", oracle.SECONDS - 301, genuine=False),
        signed("another secret", oracle.SECONDS, secret="whsec_other", genuine=False),
    ]


def check(each):
    request = each["request"]
    try:
        # Its clock is the real one, so no tolerance is set.
        WebhookSignature.verify_header(
            request["body"], request["headers"]["stripe-signature"], each["source"]["secrets"][0]
        )
    except SignatureVerificationError:
        return False
    return True


oracle.main(sign, check)
