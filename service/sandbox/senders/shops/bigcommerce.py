"""BigCommerce as a sender: an order's new status and little else, signed."""

from service.intake.providers.shops import bigcommerce
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

UPDATED = "store/order/statusUpdated"
WORDS: dict[str, tuple[str, int]] = {
    "new": ("store/order/created", 0),
    "paid": (UPDATED, 11),
    "partially_shipped": (UPDATED, 3),
    "shipped": (UPDATED, 2),
    "completed": (UPDATED, 10),
    "partially_refunded": (UPDATED, 14),
    "refunded": (UPDATED, 4),
    "cancelled": (UPDATED, 5),
}


def _event(word: tuple[str, int], occasion: Occasion) -> Object:
    scope, status = word
    data: Object = {"type": "order"}
    if scope == UPDATED:
        data["status"] = {"previous_status_id": 1, "new_status_id": status}
    return {
        "scope": scope,
        "store_id": "1025646",
        "data": data,
        "hash": token("", f"{occasion.key}/{scope}/{status}"),
        "created_at": int(occasion.at.timestamp()),
        "producer": "stores/sandbox",
    }


SENDER = Sender(
    bigcommerce.PRESET.name,
    schemes.signer(bigcommerce.SCHEME),
    told(_event, WORDS, ref=bigcommerce.LAYOUT.ref),
    usual="paid",
)
