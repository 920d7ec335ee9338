"""DHL as a sender: a shipment and its events, with the token of the subscription."""

from service.intake.providers.couriers import dhl
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "label_created": "pre-transit",
    "in_transit": "transit",
    "delivery_failed": "failure",
    "delivered": "delivered",
}


def _event(word: str, occasion: Occasion) -> Object:
    event: Object = {
        "timestamp": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "statusCode": word,
        "location": {"address": {"countryCode": "DE", "addressLocality": "Leipzig"}},
    }
    number = token("JD", occasion.order)[:18].upper()
    shipment: Object = {"id": number, "service": "express", "status": event, "events": [event]}
    return {
        "self": "https://api-eu.dhl.com/tracking/push/v1/subscription/sandbox",
        "scope": "subscription.push",
        "shipments": [shipment],
    }


SENDER = Sender(
    dhl.PRESET.name,
    schemes.signer(dhl.SCHEME),
    told(_event, WORDS),
    usual="in_transit",
)
