"""Yandex Delivery as a sender: a page of the journal of claims, sent to the URL with the token."""

from service.intake.providers.couriers import yandexdelivery
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import sharing

WORDS = {
    "label_created": "performer_found",
    "picked_up": "pickuped",
    "out_for_delivery": "delivery_arrived",
    "delivered": "delivered_finish",
    "delivery_failed": "failed",
    "returning": "returning",
}


def _page(word: str, occasion: Occasion) -> Object:
    entry: Object = {
        "operation_id": int(token("", occasion.key)[:6], 16),
        "claim_id": token("", occasion.order).ljust(32, "0"),
        "change_type": "status_changed",
        "updated_ts": occasion.at.isoformat(),
        "new_status": word,
        "revision": 1,
    }
    return {"cursor": token("", occasion.key), "events": [entry]}


SENDER = Sender(
    yandexdelivery.PRESET.name,
    sharing.url_token(),
    told(_page, WORDS),
    usual="picked_up",
)
