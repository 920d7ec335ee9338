"""Mollie's own validator: it makes the hash, and judges what we sign."""

import json

import oracle
from mollie.utils.webhooks.signature_validator import (
    InvalidSignatureException,
    SignatureValidator,
)

BY = "mollie-api-py 1.10.20 (PyPI), SignatureValidator.create_signature and validate"
HEADER = "X-Mollie-Signature"
BODY = json.dumps({"resource": "event", "id": "event_1", "type": "payment.paid", "n": "€"})


def takes(body, header, secret):
    try:
        return SignatureValidator.validate(body, secret, header)
    except InvalidSignatureException:
        return False


def signed(name, *, shown="secret", body=BODY):
    proof = f"sha256={SignatureValidator.create_signature(BODY, shown)}"
    genuine = takes(body, proof, "secret")
    source, headers = {"secrets": ["secret"]}, {HEADER: proof}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=body, genuine=genuine)


def sign():
    return [
        signed("the signing secret"),
        signed("another secret", shown="other"),
        signed("another body", body=BODY.replace("paid", "open")),
    ]


def check(each):
    request = each["request"]
    return takes(request["body"], request["headers"][HEADER.lower()], each["source"]["secrets"][0])


oracle.main(sign, check)
