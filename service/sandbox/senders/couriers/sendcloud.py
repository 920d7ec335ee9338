"""Sendcloud as a sender: a parcel that changes its status, signed."""

from service.intake.providers.couriers import sendcloud
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "packed": (1000, "Ready to send"),
    "in_transit": (3, "En route to sorting center"),
    "ready_for_pickup": (12, "Awaiting customer pickup"),
    "out_for_delivery": (92, "Driver en route"),
    "delivered": (11, "Delivered"),
    "returned_to_sender": (62992, "Returned to sender"),
}


def _event(word: tuple[int, str], occasion: Occasion) -> Object:
    number, message = word
    stamp = int(occasion.at.timestamp() * 1000)
    return {
        "action": sendcloud.CHANGED,
        "timestamp": stamp,
        "carrier_status_change_timestamp": stamp,
        "parcel": {
            "id": int(token("", occasion.order)[:7], 16),
            "tracking_number": token("3S", occasion.order)[:15].upper(),
            "status": {"id": number, "message": message},
            "carrier": {"code": "postnl"},
            "date_created": occasion.at.strftime("%Y-%m-%dT%H:%M:%S"),
        },
    }


SENDER = Sender(
    sendcloud.PRESET.name,
    schemes.signer(sendcloud.SCHEME),
    told(_event, WORDS, ref="parcel.order_number"),
    usual="in_transit",
)
