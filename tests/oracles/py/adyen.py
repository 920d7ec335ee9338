"""Adyen's own library: it signs items and bodies, and judges what we sign."""

import json

import oracle
from Adyen import util

BY = "Adyen 16.0.0 (PyPI), Adyen.util"
KEY = "44782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
OTHER = "00782DEF547AAA06C910C43932B1EB0C71FC68D9D0C057550C48EC2ACF6BA056"
ITEM = {
    "eventCode": "AUTHORISATION",
    "success": "true",
    "eventDate": "2026-01-15T10:30:04+00:00",
    "pspReference": "7914073381342284",
    "merchantAccountCode": "TestMerchant",
    "merchantReference": "A-1001",
    "amount": {"value": 1130, "currency": "EUR"},
    "paymentMethod": "visa",
}
REFUND = {
    **ITEM,
    "eventCode": "REFUND",
    "pspReference": "8825408195409505",
    "originalReference": "7914073381342284",
}


def body(*items, key=KEY):
    listed = []
    for item in items:
        proof = util.generate_notification_sig(item, key).decode()
        signed = {**item, "additionalData": {"hmacSignature": proof}}
        listed.append({"NotificationRequestItem": signed})
    return json.dumps({"live": "false", "notificationItems": listed})


def vector(name, text, *, genuine=True, headers=None):
    source = {"secrets": [KEY]}
    return oracle.vector(
        name, by=BY, source=source, headers=headers or {}, body=text, genuine=genuine
    )


def sign():
    odd = {**ITEM, "merchantReference": "A:1001\\/é", "merchantAccountCode": "Test-Merchant"}
    changed = body(ITEM).replace("A-1001", "A-1002")
    platform = json.dumps({"type": "balancePlatform.transfer.created", "data": {"id": "1"}})
    proof = util.generate_payload_sig(platform.encode(), KEY).decode()
    return [
        vector("an authorisation", body(ITEM)),
        vector("a refund", body(REFUND)),
        vector("several items", body(ITEM, REFUND)),
        vector("colons and slashes", body(odd)),
        vector("another key", body(ITEM, key=OTHER), genuine=False),
        vector("another reference", changed, genuine=False),
        vector("a header over the body", platform, headers={"HmacSignature": proof}),
    ]


def check(each):
    key = each["source"]["secrets"][0]
    return bool(util.is_valid_hmac_notification(json.loads(each["request"]["body"]), key))


oracle.main(sign, check)
