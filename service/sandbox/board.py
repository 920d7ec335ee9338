"""What the board in the browser shows: records in, one bounded JSON view out."""

from collections.abc import Mapping
from itertools import islice

from pydantic import JsonValue

from service.sandbox.records import Call, Order, Records

TITLES = {
    "new": "New",
    "awaiting_payment": "Awaiting payment",
    "paid": "Paid",
    "processing": "Processing",
    "picking": "Picking",
    "ready_to_ship": "Ready to ship",
    "shipped": "Shipped",
    "in_transit": "In transit",
    "ready_for_pickup": "Ready for pickup",
    "out_for_delivery": "Out for delivery",
    "delivered": "Delivered",
    "completed": "Completed",
    "delivery_problem": "Delivery problem",
    "payment_failed": "Payment failed",
    "returning": "Returning",
    "returned": "Returned",
    "refunded": "Refunded",
    "cancelled": "Cancelled",
}
ALWAYS = (
    "awaiting_payment",
    "paid",
    "picking",
    "ready_to_ship",
    "shipped",
    "in_transit",
    "delivered",
)
FACTS = ("amount", "currency", "customer", "tracking_number")
"""Attributes a card shows before any others."""
CARDS = 7
CALLS = 8


def view(records: Records) -> dict[str, JsonValue]:
    """Everything one refresh of the page needs."""
    return {
        "revision": records.revision,
        "counts": dict[str, JsonValue](records.summary()),
        "columns": [_column(records, status) for status in _statuses(records)],
        "story": _story(records),
        "calls": [_call(call) for call in islice(reversed(records.calls), CALLS)],
    }


def _statuses(records: Records) -> list[str]:
    shown = [s for s in TITLES if s in ALWAYS or records.columns.get(s)]
    return shown + [s for s, orders in records.columns.items() if orders and s not in TITLES]


def _column(records: Records, status: str) -> dict[str, JsonValue]:
    return {
        "status": status,
        "title": TITLES.get(status, status),
        "total": len(records.columns.get(status, {})),
        "cards": [_card(order) for order in islice(records.newest(status), CARDS)],
    }


def _card(order: Order) -> dict[str, JsonValue]:
    data = order.data
    return {
        "subject": data.subject,
        "ref": data.subject.partition("/")[2],
        "version": data.version,
        "lanes": dict(data.lanes),
        "facts": _facts(data.attributes),
        "at": order.steps[-1].at.isoformat(),
    }


def _facts(attributes: Mapping[str, str | bool]) -> list[JsonValue]:
    known = [name for name in FACTS if name in attributes]
    names = known or sorted(attributes)
    return [str(attributes[name]) for name in names[:2]]


def _story(records: Records) -> JsonValue:
    """The order that has come the furthest way, step by step."""
    longest = max(records.orders.values(), key=lambda order: len(order.steps), default=None)
    if longest is None:
        return None
    steps: list[JsonValue] = [
        {"title": TITLES.get(s.status, s.status), "version": s.version, "at": s.at.isoformat()}
        for s in longest.steps[-12:]
    ]
    return {"subject": longest.data.subject, "steps": steps}


def _call(call: Call) -> dict[str, JsonValue]:
    return {
        "number": call.number,
        "at": call.at.isoformat(),
        "effect": call.effect,
        "subject": call.subject or "",
        "title": TITLES.get(call.status or "", call.status or ""),
        "version": call.version,
        "http_status": call.http_status,
    }
