"""Squarespace as a sender: notifications that name an order, signed."""

from service.intake.providers.shops import squarespace
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, Object]] = {
    "new": ("order.create", {}),
    "shipped": ("order.update", {"update": "FULFILLED"}),
    "cancelled": ("order.update", {"update": "CANCELED"}),
    "app_removed": ("extension.uninstall", {}),
}


def _notification(word: tuple[str, Object], occasion: Occasion) -> Object:
    topic, news = word
    return {
        "id": occasion.key,
        "websiteId": token("", "website"),
        "subscriptionId": token("", "subscription"),
        "topic": topic,
        "createdOn": occasion.at.strftime("%Y-%m-%dT%H:%M+00:00"),
        "data": {"orderId": token("", occasion.order), **news},
    }


SENDER = Sender(
    squarespace.PRESET.name,
    schemes.signer(squarespace.SCHEME),
    told(_notification, WORDS),
    usual="shipped",
    rules={"token": "test"},
)
