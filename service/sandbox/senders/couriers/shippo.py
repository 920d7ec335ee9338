"""Shippo as a sender: a track that moves, signed."""

from service.intake.providers.couriers import shippo
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": ("PRE_TRANSIT", "information_received"),
    "picked_up": ("TRANSIT", "package_accepted"),
    "in_transit": ("TRANSIT", "package_departed"),
    "out_for_delivery": ("TRANSIT", "out_for_delivery"),
    "delivered": ("DELIVERED", "delivered"),
    "returning": ("RETURNED", "return_to_sender"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    status, finer = word
    tracking: Object = {
        "object_id": token("", occasion.key),
        "status": status,
        "substatus": {"code": finer, "action_required": False},
        "status_date": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "location": {"city": "Las Vegas", "state": "NV", "country": "US"},
    }
    return {
        "event": shippo.UPDATED,
        "test": False,
        "data": {
            "carrier": "usps",
            "tracking_number": token("92", occasion.order)[:22].upper(),
            "tracking_status": tracking,
            "tracking_history": [tracking],
            "transaction": token("", occasion.order),
        },
    }


SENDER = Sender(
    shippo.PRESET.name,
    schemes.signer(shippo.SIGNED),
    told(_event, WORDS, ref="data.metadata"),
    usual="in_transit",
    rules={"subject": {"ref": "data.metadata"}},
)
