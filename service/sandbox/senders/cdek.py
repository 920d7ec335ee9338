"""CDEK as a sender: statuses and problems of a parcel, sent to the URL that ends in the token."""

import uuid
from collections.abc import Mapping
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.couriers import cdek
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sample, Sender, put, token
from service.settings import Source

TOLD: Mapping[str, tuple[str, str]] = {
    "label_created": ("ORDER_STATUS", "CREATED"),
    "picked_up": ("ORDER_STATUS", "RECEIVED_AT_SHIPMENT_WAREHOUSE"),
    "in_transit": ("ORDER_STATUS", "SENT_TO_RECIPIENT_CITY"),
    "ready_for_pickup": ("ORDER_STATUS", "ACCEPTED_AT_PICK_UP_POINT"),
    "out_for_delivery": ("ORDER_STATUS", "TAKEN_BY_COURIER"),
    "delivery_failed": ("ORDER_STATUS", "NOT_DELIVERED"),
    "problem": ("DELIV_PROBLEM", "1"),
    "delivered": ("ORDER_STATUS", "DELIVERED"),
}
"""Per sample: the type and the code."""


def sign(source: Source, body: bytes, _: Delivery) -> SignedRequest:
    proof = source.url_token.reveal().decode("latin-1") if source.url_token else ""
    return SignedRequest({"Content-Type": "application/json"}, body, tail=proof)


def _sample(kind: str, code: str, source: Source, occasion: Occasion) -> bytes:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S%z")
    attributes: Object = {
        "is_return": False,
        "is_reverse": False,
        "is_client_return": False,
        "cdek_number": str(int(token("", occasion.order)[:8], 16)),
        "code": code,
        "city": "Новосибирск",
    }
    attributes["create_date" if kind == "DELIV_PROBLEM" else "status_date_time"] = at
    body: Object = {
        "type": kind,
        "date_time": at,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, occasion.order)),
        "attributes": attributes,
    }
    put(body, source.subject.ref or cdek.ORDER_PATH, occasion.order)
    return orjson.dumps(body)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_sample, kind, code) for name, (kind, code) in TOLD.items()
}

SENDER = Sender(cdek.NAME, sign, SAMPLES)
