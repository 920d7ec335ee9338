"""What Shopify's webhooks mean: a topic and its body in, the statuses they tell of out.

Facts as in the preset. The topic is not signed, so a status is always read from the body.
"""

from collections.abc import Callable, Mapping

from service.domain.events import Fate
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import shown
from service.intake.reading.telling import FACTS, Meaning, Object, unmapped

FINANCIAL: Mapping[str, str] = {
    "pending": "payment.awaiting_payment",
    "authorized": "payment.authorized",
    "partially_paid": "payment.awaiting_payment",
    "paid": "payment.paid",
    "partially_refunded": "payment.partially_refunded",
    "refunded": "payment.refunded",
    "voided": "payment.cancelled",
    "expired": "payment.cancelled",
}
LASTING = frozenset({"partially_refunded", "refunded", "voided", "expired"})
"""What orders/updated may repeat at any later time without taking a chargeback back."""
FULFILLMENT: Mapping[str, str] = {
    "partial": "fulfillment.partially_shipped",
    "fulfilled": "fulfillment.shipped",
    "restocked": "fulfillment.cancelled",
}
SCANS: Mapping[str, str] = {
    "label_purchased": "delivery.label_created",
    "label_printed": "delivery.label_created",
    "confirmed": "delivery.label_created",
    "carrier_picked_up": "delivery.picked_up",
    "in_transit": "delivery.in_transit",
    "delayed": "",
    "ready_for_pickup": "delivery.ready_for_pickup",
    "out_for_delivery": "delivery.out_for_delivery",
    "attempted_delivery": "delivery.delivery_failed",
    "failure": "delivery.delivery_failed",
    "delivered": "delivery.delivered",
    "picked_up": "delivery.delivered",
}
DISPUTES: Mapping[str, str] = {
    "needs_response": "payment.chargeback",
    "under_review": "payment.chargeback",
    "accepted": "payment.chargeback",
    "lost": "payment.chargeback",
    "won": "payment.paid",
    "charge_refunded": "",
}

IGNORED: Mapping[str, str] = {
    "orders/edited": "orders/updated carries the order as it is now",
    "orders/delete": "the order keeps its last status",
    "order_transactions/create": "orders/paid and orders/updated carry what it changed",
    "orders/risk_assessment_changed": "it is no status of the order",
    "orders/link_requested": "it is no status of the order",
    "orders/shopify_protect_eligibility_changed": "it is no status of the order",
}
SCANNED, DELETED = "fulfillment_events/create", "fulfillment_events/delete"
MAX_SCAN = 200
RETURNS = "returns/"
OURS = ("orders/", "refunds/", "fulfillments/", "fulfillment_events/", "disputes/")


def scanned(body: Object) -> str | None:
    named = mapping.name(body.get("id"))
    return f"{named}:{SCANNED}" if named and len(named.encode()) <= MAX_SCAN else None


def _created(_: Object) -> Meaning:
    return Meaning("order.new")


def _payment(order: Object) -> Meaning:
    return _read(FINANCIAL, order, "financial_status")


def _lasting(order: Object) -> Meaning:
    """Read a snapshot that may come long after what it shows."""
    meaning = _payment(order)
    if meaning.fate is Fate.FOLD and order.get("financial_status") not in LASTING:
        return FACTS
    return meaning


def _fulfillment(order: Object) -> Meaning:
    return _read(FULFILLMENT, order, "fulfillment_status")


def _cancelled(order: Object) -> Meaning:
    if order.get("cancelled_at"):
        return Meaning("order.cancelled")
    return unmapped("orders/cancelled came without cancelled_at.")


def _facts(_: Object) -> Meaning:
    return FACTS


def _scan(event: Object) -> Meaning:
    return _read(SCANS, event, "status")


def _dispute(dispute: Object) -> Meaning:
    # An inquiry: the bank asks, no money has moved.
    return FACTS if dispute.get("type") == "inquiry" else _read(DISPUTES, dispute, "status")


def _taken_back(event: Object) -> Meaning:
    if scanned(event):
        return FACTS
    return unmapped("It takes a scan back, but does not say which.")


RULES: Mapping[str, tuple[Callable[[Object], Meaning], ...]] = {
    "orders/create": (_created, _payment),
    "orders/paid": (_payment,),
    "orders/updated": (_lasting,),
    "orders/partially_fulfilled": (_fulfillment,),
    "orders/fulfilled": (_fulfillment,),
    "orders/cancelled": (_cancelled,),
    "refunds/create": (_facts,),
    "fulfillments/create": (_facts,),
    "fulfillments/update": (_facts,),
    SCANNED: (_scan,),
    DELETED: (_taken_back,),
    "disputes/create": (_dispute,),
    "disputes/update": (_dispute,),
}


def _read(table: Mapping[str, str], thing: Object, key: str) -> Meaning:
    """Translate a word; null says that nothing has happened yet."""
    if thing.get(key) is None:
        return FACTS
    word = mapping.name(thing.get(key))
    if word is None or word not in table:
        return telling.unknown(word, key)
    return Meaning(table[word])


def other(topic: str) -> Meaning:
    if why := IGNORED.get(topic):
        return telling.ignored(f"{topic}: {why}.")
    if topic.startswith(RETURNS):
        return telling.ignored(f"{topic}: a return that is agreed on is not yet goods that came.")
    if topic.startswith(OURS):
        return unmapped(f"{shown(topic)} is a new topic of a family that tells about orders.")
    return telling.ignored(f"{shown(topic)} is not about an order.")
