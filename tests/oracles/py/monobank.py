"""An independent client of Monobank, which only verifies: what it takes of signed webhooks."""

import hashlib
import json
from base64 import b64encode

import ecdsa
import oracle
from aiomonobnk.utils.webhook import webhook_authentication

BY = "aiomonobnk 0.5.5 (PyPI), webhook_authentication"
URL = "https://api.monobank.ua/api/merchant/pubkey"
BODY = json.dumps(
    {
        "invoiceId": "p2_9ZgpZVsl3",
        "status": "success",
        "amount": 4200,
        "ccy": 980,
        "finalAmount": 4200,
        "createdDate": "2026-01-15T10:29:31Z",
        "modifiedDate": "2026-01-15T10:30:04Z",
        "reference": "A-1001",
    }
)


def takes(body, signature, public):
    try:
        return bool(webhook_authentication(public, signature, body.encode()))
    except ecdsa.BadSignatureError:
        return False


def new_key(curve):
    private = ecdsa.SigningKey.generate(curve=curve)
    return private, b64encode(private.verifying_key.to_pem()).decode()


def signed(name, private, public, *, fetched):
    raw = private.sign(BODY.encode(), hashfunc=hashlib.sha256, sigencode=ecdsa.util.sigencode_der)
    headers = {"X-Sign": b64encode(raw).decode()}
    genuine = takes(BODY, headers["X-Sign"], public)
    source = {"token": "mono-token"} if fetched else {"secrets": [public]}
    keys = {"keys": {URL: json.dumps({"key": public})}} if fetched else {}
    return oracle.vector(
        name, by=BY, source=source, headers=headers, body=BODY, genuine=genuine, **keys
    )


def sign():
    first, stranger = new_key(ecdsa.NIST256p), new_key(ecdsa.NIST256p)
    other_curve = new_key(ecdsa.SECP256k1)
    return [
        signed("a key that is fetched", *first, fetched=True),
        signed("a key in secrets", *first, fetched=False),
        signed("another curve", *other_curve, fetched=True),
        signed("another key", stranger[0], first[1], fetched=False),
    ]


def check(each):
    pem = each["source"]["secrets"][0].encode()
    signature = each["request"]["headers"]["x-sign"]
    return takes(each["request"]["body"], signature, b64encode(pem).decode())


oracle.main(sign, check)
