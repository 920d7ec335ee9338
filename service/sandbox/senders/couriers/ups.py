"""UPS as a sender: activities of a parcel, with the key it was given."""

from service.intake.providers.couriers import ups
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": ("M", "MP", "003"),
    "in_transit": ("I", "DP", "005"),
    "out_for_delivery": ("I", "OT", "021"),
    "delivery_failed": ("X", "NH", "013"),
    "returning": ("X", "RS", "033"),
    "delivered": ("D", "FS", "011"),
}


def _event(word: tuple[str, str, str], occasion: Occasion) -> Object:
    kind, code, number = word
    day, clock = occasion.at.strftime("%Y%m%d"), occasion.at.strftime("%H%M%S")
    return {
        "trackingNumber": token("1Z", occasion.order)[:18].upper(),
        "localActivityDate": day,
        "localActivityTime": clock,
        "activityLocation": {"city": "CHARLOTTE", "stateProvince": "NC", "country": "US"},
        "activityStatus": {"type": kind, "code": code, "descriptionCode": number},
        "gmtActivityDate": day,
        "gmtActivityTime": clock,
    }


SENDER = Sender(
    ups.PRESET.name,
    schemes.signer(ups.SCHEME),
    told(_event, WORDS),
    usual="in_transit",
)
