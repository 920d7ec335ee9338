"""TrackingMore as a sender: a tracking that moves; only the time is signed."""

from service.intake.providers.couriers import trackingmore
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "inforeceived",
    "in_transit": "transit",
    "out_for_delivery": "pickup",
    "delivery_failed": "undelivered",
    "delivered": "delivered",
}


def _push(word: str, occasion: Occasion) -> Object:
    data: Object = {
        "id": token("", occasion.order),
        "tracking_number": token("TM", occasion.order)[:14].upper(),
        "courier_code": "usps",
        "delivery_status": word,
        "substatus": f"{word}001",
        "latest_checkpoint_time": occasion.at.isoformat(),
    }
    return {"event": "TRACKING_STATUS", "data": data}


SENDER = Sender(
    trackingmore.PRESET.name,
    schemes.signer(trackingmore.SCHEME),
    told(_push, WORDS, ref="data.order_number"),
    usual="in_transit",
)
