"""17TRACK as a sender: a tracking that moves, with its hash."""

from service.intake.providers.couriers import seventeentrack
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "InfoReceived",
    "picked_up": "InTransit_PickedUp",
    "in_transit": "InTransit_Departure",
    "out_for_delivery": "OutForDelivery_Other",
    "delivery_failed": "DeliveryFailure_NoBody",
    "delivered": "Delivered_Other",
}


def _push(word: str, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    stage = word.partition("_")[0]
    event: Object = {
        "time_iso": at,
        "time_utc": at,
        "description": stage,
        "location": "SHENZHEN",
        "stage": stage,
        "sub_status": word,
    }
    track: Object = {
        "latest_status": {"status": stage, "sub_status": word},
        "latest_event": event,
        "tracking": {"providers": [{"provider": {"key": 3011}, "events": [event]}]},
    }
    number = f"RR{int(token('', occasion.order)[:8], 16) % 10**9:09d}CN"
    data: Object = {"number": number, "carrier": 3011, "track_info": track}
    return {"event": seventeentrack.UPDATED, "data": data}


SENDER = Sender(
    seventeentrack.PRESET.name,
    schemes.signer(seventeentrack.SCHEME),
    told(_push, WORDS, ref="data.order_no"),
    usual="in_transit",
)
