"""Paddle's own library: it makes the hash and judges what we sign."""

import json
from types import SimpleNamespace

import oracle
from paddle_billing.Notifications import PaddleSignature, Secret, Verifier

BY = "paddle-python-sdk 1.16.1 (PyPI), PaddleSignature.calculate_hmac and Verifier"
HEADER = "Paddle-Signature"
KEY = "pdl_ntfset_01hv8x29_secret"
BODY = json.dumps({"event_id": "evt_01hv8x29", "event_type": "transaction.completed", "n": "€"})


def proof(at=oracle.SECONDS, key=KEY, body=BODY):
    return PaddleSignature.calculate_hmac(key, f"{at}:{body}".encode()).hexdigest()


def takes(body, header, secret):
    request = SimpleNamespace(headers={HEADER: header}, body=body.encode())
    # Its clock is not ours, so the time is judged by us alone.
    return Verifier().verify(request, Secret(secret), verify_time_drift=False)


def signed(name, header, *, body=BODY, genuine=None):
    said = takes(body, header, KEY) if genuine is None else genuine
    source = {"secrets": [KEY]}
    return oracle.vector(
        name, by=BY, source=source, headers={HEADER: header}, body=body, genuine=said
    )


def sign():
    at = oracle.SECONDS
    other = proof(key="pdl_ntfset_other")
    return [
        signed("one signature", f"ts={at};h1={proof()}"),
        signed("while a key is rotated", f"ts={at};h1={other};h1={proof()}"),
        signed("another key", f"ts={at};h1={other}"),
        signed("another time", f"ts={at + 1};h1={proof()}"),
        signed("another body", f"ts={at};h1={proof()}", body=BODY.replace("evt", "EVT")),
        signed("an hour ago", f"ts={at - 3600};h1={proof(at - 3600)}", genuine=False),
    ]


def check(each):
    request = each["request"]
    return takes(request["body"], request["headers"][HEADER.lower()], each["source"]["secrets"][0])


oracle.main(sign, check)
