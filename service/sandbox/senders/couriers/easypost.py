"""EasyPost as a sender: a tracker that moves, signed."""

from service.intake.providers.couriers import easypost
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "pre_transit",
    "in_transit": "in_transit",
    "ready_for_pickup": "available_for_pickup",
    "out_for_delivery": "out_for_delivery",
    "delivery_failed": "failure",
    "returning": "return_to_sender",
    "delivered": "delivered",
}


def _event(word: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    place: Object = {"city": "CHARLOTTE", "state": "NC"}
    detail: Object = {"status": word, "datetime": at, "tracking_location": place}
    return {
        "id": occasion.key,
        "object": "Event",
        "description": "tracker.updated",
        "mode": "production",
        "created_at": at,
        "result": {
            "id": token("trk_", occasion.order),
            "object": "Tracker",
            "tracking_code": token("EZ", occasion.order)[:12],
            "shipment_id": token("shp_", occasion.order),
            "status": word,
            "carrier": "UPS",
            "tracking_details": [detail],
        },
    }


SENDER = Sender(
    easypost.PRESET.name,
    schemes.signer(easypost.SCHEME),
    told(_event, WORDS),
    usual="in_transit",
)
