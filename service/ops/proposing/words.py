"""A sender's word for a status comes in; the status of an order it most likely means goes out.

Only words that mean the same everywhere are here; the rest is for a person to translate.
"""

import re
from collections.abc import Mapping

from service.domain.lifecycles import LIFECYCLES

MEANT: Mapping[str, tuple[str, ...]] = {
    "payment.awaiting_payment": ("pending payment", "payment pending", "unpaid"),
    "payment.authorized": ("authorised", "payment authorized", "payment authorised"),
    "payment.paid": (
        *("payment paid", "payment received", "payment captured", "payment succeeded"),
        *("payment success", "payment completed", "captured"),
    ),
    "payment.failed": ("payment failed", "payment declined", "declined"),
    "payment.cancelled": ("payment cancelled", "payment canceled", "payment voided"),
    "payment.partially_refunded": ("partial refund", "partially refunded"),
    "payment.refunded": ("payment refunded",),
    "payment.chargeback": ("charged back", "payment chargeback"),
    "fulfillment.picking": ("picking started", "in picking", "picked"),
    "fulfillment.packed": ("packing completed", "packaged"),
    "fulfillment.partially_shipped": ("partially fulfilled", "partial shipment"),
    "fulfillment.shipped": ("dispatched", "despatched", "fulfilled"),
    "fulfillment.cancelled": ("fulfillment cancelled", "fulfillment canceled"),
    "fulfillment.returned_to_stock": ("restocked", "returned to stock"),
    "delivery.label_created": (
        *("label printed", "label purchased", "pre transit", "info received"),
        "information received",
    ),
    "delivery.picked_up": ("collected", "pickup completed"),
    "delivery.in_transit": ("transit", "on the way"),
    "delivery.ready_for_pickup": ("available for pickup",),
    "delivery.out_for_delivery": ("with driver",),
    "delivery.delivery_failed": (
        *("failed delivery", "delivery attempt failed", "failed attempt", "attempted delivery"),
        *("attempt fail", "undelivered"),
    ),
    "delivery.returning": ("return in transit", "returning to sender"),
    "delivery.returned_to_sender": ("return to sender", "returned to shipper"),
    "delivery.delivered": ("delivery completed",),
    "order.new": ("created", "placed", "submitted"),
    "order.confirmed": ("accepted",),
    "order.completed": ("complete", "done", "finished"),
    "order.cancelled": ("cancelled", "canceled", "voided"),
}
ABOUT = frozenset(
    {
        *("order", "orders", "shipment", "shipments", "package", "parcel", "fulfillment"),
        *("fulfilment", "delivery", "event", "item", "status", "state", "tracking", "sales"),
    }
)
"""What a word may begin with and mean the same: `order.shipped`."""

_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def _known() -> Mapping[str, str]:
    """List what is understood; a name that two lanes have is told by MEANT alone."""
    names = [
        (status.replace("_", " "), f"{lane.name}.{status}")
        for lane in LIFECYCLES["order"].lanes.values()
        for status in lane.statuses
    ]
    own = {name: target for name, target in names if [one for one, _ in names].count(name) == 1}
    return own | {"new": "order.new"} | {word: to for to, all_ in MEANT.items() for word in all_}


KNOWN = _known()


def target(word: str) -> str | None:
    """Say which `lane.status` a word means; None where that is not plain."""
    parts = [part.lower() for part in _PARTS.findall(word)]
    while parts:
        found = KNOWN.get(" ".join(parts))
        if found is not None:
            return found
        if parts[0] not in ABOUT:
            return None
        parts = parts[1:]
    return None
