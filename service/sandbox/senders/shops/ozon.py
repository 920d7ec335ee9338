"""Ozon as a sender: notifications about a posting, at a secret address."""

from service.intake.providers.shops import ozon
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

CHANGED = "TYPE_STATE_CHANGED"
WORDS: dict[str, tuple[str, str]] = {
    "new": ("TYPE_NEW_POSTING", ""),
    "packed": (CHANGED, "posting_transferring_to_delivery"),
    "in_transit": (CHANGED, "posting_in_carriage"),
    "delivered": (CHANGED, "posting_delivered"),
    "cancelled": ("TYPE_POSTING_CANCELLED", "posting_canceled"),
    "disputed": (CHANGED, "posting_in_arbitration"),
}


def _notification(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, state = word
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    said: Object = {"message_type": kind, "posting_number": occasion.order, "seller_id": 15}
    if not state:
        return said | {"in_process_at": at, "products": [{"sku": 147451959, "quantity": 1}]}
    if kind != CHANGED:
        said["reason"] = {"id": 402, "message": "The customer changed their mind"}
    return said | {"new_state": state, "changed_state_date": at, "warehouse_id": 0}


SENDER = Sender(
    ozon.PRESET.name, schemes.signer(ozon.SCHEME), told(_notification, WORDS), usual="delivered"
)
