"""An independent receiver of Shippo's webhooks: what it signs for its tests, takes and refuses."""

import json

import oracle
from altissimo.shippo_tracking.webhook import (
    SIGNATURE_HEADER,
    compute_signature_header,
    verify_signature,
)

BY = "altissimo-shippo-tracking 0.2.1 (PyPI), webhook.compute_signature_header"
BODY = json.dumps(
    {
        "event": "track_updated",
        "data": {
            "carrier": "usps",
            "tracking_number": "9205590164917312751089",
            "tracking_status": {"status": "DELIVERED", "status_date": "2026-01-15T10:00:00Z"},
        },
    }
)


def signed(name, *, key, secret, genuine=True, seconds=oracle.SECONDS):
    headers = {SIGNATURE_HEADER: compute_signature_header(key, BODY.encode(), seconds)}
    source = {"secrets": [secret]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine)


def sign():
    return [
        signed("a delivered parcel", key="secret", secret="secret"),
        signed("another secret", key="other", secret="secret", genuine=False),
        signed(
            "an hour ago",
            key="secret",
            secret="secret",
            genuine=False,
            seconds=oracle.SECONDS - 3600,
        ),
    ]


def check(each):
    header = each["request"]["headers"].get(SIGNATURE_HEADER.lower())
    return verify_signature(each["source"]["secrets"][0], each["request"]["body"].encode(), header)


oracle.main(sign, check)
