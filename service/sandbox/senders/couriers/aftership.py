"""AfterShip Tracking as a sender: a tracking that moves, signed."""

from service.intake.providers.couriers import aftership
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": ("InfoReceived", False),
    "in_transit": ("InTransit", False),
    "out_for_delivery": ("OutForDelivery", False),
    "delivery_failed": ("AttemptFail", False),
    "returning": ("Exception", True),
    "delivered": ("Delivered", False),
}


def _event(word: tuple[str, bool], occasion: Occasion) -> Object:
    tag, back = word
    checkpoint: Object = {
        "checkpoint_time": occasion.at.strftime("%Y-%m-%dT%H:%M:%S"),
        "city": "CHARLOTTE",
        "tag": tag,
        "hash": token("", occasion.key),
    }
    return {
        "ts": int(occasion.at.timestamp()),
        "event": aftership.UPDATE,
        "event_id": occasion.key,
        "is_tracking_first_tag": False,
        "msg": {
            "id": token("", occasion.order),
            "tracking_number": token("1Z", occasion.order)[:18].upper(),
            "slug": "ups",
            "tag": tag,
            "subtag": f"{tag}_001",
            "return_to_sender": back,
            "checkpoints": [checkpoint],
        },
    }


SENDER = Sender(
    aftership.PRESET.name,
    schemes.signer(aftership.SCHEME),
    told(_event, WORDS, ref="msg.order_number"),
    usual="in_transit",
)
