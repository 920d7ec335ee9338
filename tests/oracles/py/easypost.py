"""EasyPost's own validator, which only verifies: what it takes and refuses of signed requests."""

import hmac
import json

import oracle
from easypost.util import validate_webhook

BY = "easypost 10.7.0 (PyPI), easypost.util.validate_webhook"
HEADER = "X-Hmac-Signature"
BODY = json.dumps(
    {"id": "evt_1", "description": "tracker.updated", "result": {"status": "delivered"}}
)


def takes(body, headers, secret):
    try:
        validate_webhook(body.encode(), headers, secret)
    except Exception:
        return False
    return True


def signed(name, key, *, secret):
    digest = hmac.digest(key, BODY.encode(), "sha256").hex()
    headers = {HEADER: f"hmac-sha256-hex={digest}"}
    genuine = takes(BODY, headers, secret)
    source = {"secrets": [secret]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    return [
        signed("plain secret", b"secret", secret="secret"),
        signed("composed letters", "s\u0065\u0301cret".encode(), secret="s\u00e9cret"),
        signed("another secret", b"other", secret="secret"),
    ]


def check(each):
    headers = {name.title(): value for name, value in each["request"]["headers"].items()}
    return takes(each["request"]["body"], headers, each["source"]["secrets"][0])


oracle.main(sign, check)
