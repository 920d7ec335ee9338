"""project44 as a sender: the whole history of a shipment, with user and password."""

from service.intake.providers.telematics import project44
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "in_transit": "IN_TRANSIT",
    "out_for_delivery": "OUT_FOR_DELIVERY",
    "delivered": "COMPLETED",
    "cancelled": "CANCELED",
}


def _push(word: str, occasion: Occasion) -> Object:
    at = occasion.at.isoformat()
    update: Object = {"timestamp": at, "localTimeZone": "Europe/Lisbon", "statusCode": word}
    shipment: Object = {
        "id": token("", occasion.order),
        "shipmentIdentifiers": [
            {"type": "PRO", "value": token("P", occasion.order)[:10].upper()},
            {"type": "ORDER", "value": occasion.order},
        ],
    }
    return {"shipment": shipment, "latestStatusUpdate": update, "statusUpdates": [update]}


SENDER = Sender(
    project44.PRESET.name,
    schemes.signer(project44.SCHEME),
    told(_push, WORDS),
    usual="in_transit",
)
