"""ShipBob as a sender: what happens to a shipment under its topics, signed."""

from collections.abc import Mapping
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.warehouses import shipbob
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sample,
    Sender,
    put,
    token,
)
from service.sandbox.senders.signing.standard import STANDARD
from service.settings import Source

TRACKED = "order.shipment.tracking.updated"
"""Also the topic of a body that is no sample."""

TOLD: Mapping[str, tuple[str, str]] = {
    "packed": ("order.shipped", "LabelCreated"),
    "label_created": ("order.shipment.tracking_received", "LabelCreated"),
    "in_transit": (TRACKED, "InTransit"),
    "out_for_delivery": (TRACKED, "OutForDelivery"),
    "delivered": ("order.delivered", "Delivered"),
    "cancelled": ("order.shipment.cancelled", "Cancelled"),
    "on_hold": ("order.shipment.on_hold", "OnHold"),
}
"""Per sample: the topic and the status."""


def dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    topic = TOLD[delivery.sample][0] if delivery.sample else TRACKED
    return SignedRequest({"Content-Type": "application/json", shipbob.TOPIC: topic}, body)


def _sample(status: str, source: Source, occasion: Occasion) -> bytes:
    number = token("SB", occasion.order)[:14].upper()
    body: Object = {
        "event_time": occasion.at.isoformat(),
        "order_id": int(token("", occasion.order)[:7], 16),
        "status": status,
        "tracking": {
            "carrier": "USPS",
            "carrier_service": "ParcelSelect",
            "tracking_id": number,
            "tracking_url": f"https://track.example.com/{number}",
        },
    }
    put(body, source.subject.ref or shipbob.ORDER_PATH, occasion.order)
    return orjson.dumps(body)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_sample, status) for name, (_, status) in TOLD.items()
}

SENDER = Sender(shipbob.NAME, STANDARD, SAMPLES, "in_transit", dress)
