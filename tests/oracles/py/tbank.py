"""An independent client of T-Bank: the tokens it signs its own requests with, by the same rule."""

import json

import oracle
from tinkoff_acquiring_api.api import TinkoffAcquiring

BY = "tinkoff-acquiring-api 0.1.3 (PyPI, unofficial), TinkoffAcquiring._get_token"
PAID = {
    "TerminalKey": "1234567890DEMO",
    "OrderId": "A-1001",
    "Success": True,
    "Status": "CONFIRMED",
    "PaymentId": 13660,
    "ErrorCode": "0",
    "Amount": 150000,
    "CardId": 322264,
    "Pan": "430000******0777",
    "ExpDate": "1130",
    "RebillId": "",
}


def token(fields, secret):
    # The bank writes flags in small letters, which this client never sends.
    written = {
        name: str(value).lower() if isinstance(value, bool) else value
        for name, value in fields.items()
        if not isinstance(value, dict | list)
    }
    return TinkoffAcquiring("1234567890DEMO", secret)._get_token(written)  # noqa: SLF001


def signed(name, fields, *, secret="test_secret_123", known="test_secret_123"):
    body = json.dumps({**fields, "Token": token(fields, secret)}, ensure_ascii=False)
    source = {"secrets": [known]}
    genuine = secret == known
    return oracle.vector(name, by=BY, source=source, headers={}, body=body, genuine=genuine)


def sign():
    return [
        signed("paid", PAID),
        signed("with nested data", {**PAID, "Data": {"a": "b"}, "Receipt": {"Items": []}}),
        signed("other letters", {**PAID, "OrderId": "заказ-1", "Status": "REFUNDED"}),
        signed("another password", PAID, secret="other"),
    ]


def check(each):
    fields = json.loads(each["request"]["body"])
    given = fields.pop("Token")
    return given == token(fields, each["source"]["secrets"][0])


oracle.main(sign, check)
