"""Ecwid as a sender: events that name an order, of which only id and time are signed."""

from dataclasses import replace

from service.intake.providers.shops import ecwid
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, Object]] = {
    "new": ("order.created", {}),
    "changed": (
        "order.updated",
        {"oldPaymentStatus": "AWAITING_PAYMENT", "newPaymentStatus": "PAID"},
    ),
    "deleted": ("order.deleted", {}),
}


def _event(word: tuple[str, Object], occasion: Occasion) -> Object:
    kind, news = word
    return {
        "eventId": occasion.key,
        "eventCreated": int(occasion.at.timestamp()),
        "storeId": 1003,
        "entityId": 103878161,
        "eventType": kind,
        "data": {"orderId": occasion.order, **news},
    }


SENDER = Sender(
    ecwid.PRESET.name,
    replace(
        schemes.signer(ecwid.SCHEME), also=("body:eventId", "body:eventCreated"), signs_body=False
    ),
    told(_event, WORDS),
    usual="changed",
    rules={"token": "secret_test"},
)
