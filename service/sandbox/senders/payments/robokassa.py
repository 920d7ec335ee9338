"""Robokassa as a sender: a payment that succeeded, with its hash."""

from service.intake.providers.payments import robokassa
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, told
from service.sandbox.senders.signing import hashing

WORDS = {"paid": "0", "paid_in_test": "1"}


def _event(test: str, occasion: Occasion) -> Object:
    return {
        "OutSum": f"{occasion.amount:.6f}",
        "InvId": str(int.from_bytes(occasion.order.encode()) % 1_000_000 + 1),
        "Fee": "0.000000",
        "EMail": "user@example.com",
        "PaymentMethod": "BankCard",
        "IsTest": test,
        "Shp_order_no": occasion.order,
    }


SENDER = Sender(
    robokassa.PRESET.name,
    hashing.fields(robokassa.MD5, write=str.upper),
    told(_event, WORDS, form="form"),
    usual="paid",
    dress=as_form,
)
