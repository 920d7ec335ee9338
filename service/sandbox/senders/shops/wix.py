"""Wix as a sender: events of orders, as a token that is the whole body."""

from service.intake.providers.shops import wix
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, dict[str, JSON]]] = {
    "new": ("created", {"status": "INITIALIZED"}),
    "confirmed": ("approved", {"status": "APPROVED"}),
    "paid": ("payment_status_updated", {"paymentStatus": "PAID"}),
    "partially_refunded": ("payment_status_updated", {"paymentStatus": "PARTIALLY_REFUNDED"}),
    "shipped": ("fulfilled", {"fulfillmentStatus": "FULFILLED"}),
    "cancelled": ("canceled", {"status": "CANCELED"}),
}


def _event(word: tuple[str, dict[str, JSON]], occasion: Occasion) -> Object:
    slug, news = word
    order: Object = {"id": token("", occasion.order), "number": occasion.order, **news}
    happened: Object = (
        {"createdEvent": {"entity": order}}
        if slug == "created"
        else {"actionEvent": {"body": {"order": order}}}
    )
    event: Object = {
        "id": occasion.key,
        "entityFqdn": wix.EVENT,
        "slug": slug,
        "entityId": order["id"],
        "eventTime": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **happened,
    }
    return {
        "data": {
            "eventType": f"{wix.EVENT}_{slug}",
            "instanceId": token("", "site"),
            "identity": {"identityType": "WIX_USER"},
            "data": event,
        }
    }


SENDER = Sender(wix.PRESET.name, schemes.signer(wix.SCHEME), told(_event, WORDS), usual="paid")
