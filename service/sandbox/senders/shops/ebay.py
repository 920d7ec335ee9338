"""eBay as a sender: notifications about orders, signed with its private key."""

from collections.abc import Mapping

import orjson

from service.intake.providers.shops import ebay
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import keys, publickeys

KEY_ID = "9936261a-7d7b-4621-a0f1-96ccb428af49"
WORDS: dict[str, tuple[str, str]] = {
    "new": ("ORDER_CONFIRMATION", ""),
    "paid": ("ORDER_CONFIRMATION", "PAID"),
    "shipped": ("ITEM_MARKED_SHIPPED", ""),
}


def publish(private: keys.Private, _: str) -> Mapping[str, bytes]:
    """Serve the key as eBay does: as PEM without line breaks, in JSON."""
    text = keys.public_pem(private).decode("ascii").replace("\n", "")
    answer = orjson.dumps({"key": text, "algorithm": "ECDSA", "digest": "SHA1"})
    return {f"{ebay.PRODUCTION}{ebay.KEYS}{KEY_ID}": answer}


def seal(pairs: Mapping[str, str]) -> str:
    said = {"alg": "ecdsa", "kid": pairs["kid"], "signature": pairs["signature"]}
    return publickeys.json64({**said, "digest": "SHA1"})


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    topic, payment = word
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    order: Object = {"orderPaymentStatus": payment} if payment else {}
    return {
        "metadata": {"topic": topic, "schemaVersion": "1.0", "deprecated": False},
        "notification": {
            "notificationId": occasion.key,
            "eventDate": at,
            "publishDate": at,
            "publishAttemptCount": 1,
            "data": {"order": order},
        },
    }


SENDER = Sender(
    ebay.PRESET.name,
    publickeys.signer(ebay.SCHEME, publish=publish, key_id=KEY_ID, seal=seal),
    told(_event, WORDS, ref="notification.data.order.orderId"),
    usual="paid",
    # Keys are fetched with it.
    rules={"token": "app-token"},
)
