"""CDEK as a sender: statuses and problems of a parcel, sent to the URL that ends in the token."""

import uuid
from collections.abc import Mapping
from functools import partial

import orjson

from service.intake.providers.couriers import cdek
from service.sandbox.senders.occasion import Object, Occasion, Sample, Sender, put, token
from service.sandbox.senders.signing import sharing
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
RETURNED: Object = {"is_return": True}
REVOKED: Object = {"deleted": True}


def _sample(kind: str, code: str, more: Object, source: Source, occasion: Occasion) -> bytes:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S%z")
    attributes: Object = {
        "is_return": False,
        "is_reverse": False,
        "is_client_return": False,
        "cdek_number": _number(occasion.order),
        "code": code,
        "city": "Новосибирск",
        **more,
    }
    if more == RETURNED:
        attributes["cdek_number"] = _number(f"{occasion.order} back")
        direct: Object = {"type": "direct_order", "cdek_number": _number(occasion.order)}
        attributes["related_entities"] = [direct]
    attributes["create_date" if kind == "DELIV_PROBLEM" else "status_date_time"] = at
    body: Object = {
        "type": kind,
        "date_time": at,
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, occasion.order)),
        "attributes": attributes,
    }
    put(body, source.subject.ref or cdek.ORDER_PATH, occasion.order)
    return orjson.dumps(body)


def _number(name: str) -> str:
    return str(int(token("", name)[:8], 16))


PLAIN: Object = {}
SAMPLES: Mapping[str, Sample] = {
    **{name: partial(_sample, kind, code, PLAIN) for name, (kind, code) in TOLD.items()},
    "returned": partial(_sample, "ORDER_STATUS", "DELIVERED", RETURNED),
    "revoked": partial(_sample, "ORDER_STATUS", "DELIVERED", REVOKED),
}

SENDER = Sender(cdek.NAME, sharing.url_token(), SAMPLES, "in_transit")
