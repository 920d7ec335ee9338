"""Ship24 as a sender: an event of a tracking, with a bearer token."""

from service.intake.providers.couriers import ship24
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "info_received",
    "in_transit": "in_transit",
    "ready_for_pickup": "available_for_pickup",
    "out_for_delivery": "out_for_delivery",
    "delivery_failed": "failed_attempt",
    "delivered": "delivered",
}


def _push(word: str, occasion: Occasion) -> Object:
    number = token("S24", occasion.order)[:16].upper()
    tracker: Object = {
        "trackerId": token("", occasion.order),
        "trackingNumber": number,
        "shipmentReference": occasion.order,
    }
    event: Object = {
        "eventId": occasion.key,
        "trackingNumber": number,
        "status": word.replace("_", " ").capitalize(),
        "occurrenceDatetime": occasion.at.isoformat(),
        "location": "Lisbon",
        "courierCode": "ctt",
        "statusCode": f"delivery_{word}",
        "statusMilestone": word,
    }
    tracking: Object = {
        "metadata": {"messageId": token("", occasion.key)},
        "tracker": tracker,
        "shipment": {"shipmentId": token("", number), "statusMilestone": word},
        "events": [event],
    }
    return {"trackings": [tracking]}


SENDER = Sender(
    ship24.PRESET.name,
    schemes.signer(ship24.SCHEME),
    told(_push, WORDS),
    usual="in_transit",
)
