"""ShipHero as a sender: the steps of an order in the warehouse, signed."""

from service.intake.provider import SignedRequest
from service.intake.providers.warehouses import shiphero
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import drafts, schemes
from service.settings import Source

KINDS = {
    "picking": "Order Allocated",
    "new": "Order Deallocated",
    "packed": "Order Packed Out",
    "shipped": "Shipment Update",
    "cancelled": "Order Canceled",
    "inventory": "Inventory Update",
}


def _webhook(kind: str, occasion: Occasion) -> Object:
    number = int(token("", occasion.order)[:7], 16)
    at = occasion.at.isoformat()
    common: Object = {"test": "0", "webhook_type": kind}
    if kind == "Shipment Update":
        fulfillment: Object = {
            "shipment_id": number + 1,
            "order_number": occasion.order,
            "order_id": number,
            "partner_order_id": "9001",
            "tracking_number": token("1Z", occasion.order)[:18].upper(),
            "shipping_carrier": "UPS",
            "created_at": at,
            "line_items": [{"sku": "A", "quantity": 1}],
            "total_packages": 1,
        }
        return {**common, "fulfillment": fulfillment}
    named: Object = {} if kind == "Inventory Update" else {"order_number": occasion.order}
    return {**common, **named, "order_id": number, "created_at": at}


def _dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = SignedRequest({"Content-Type": "application/json"}, body)
    return drafts.with_headers(draft, {shiphero.MESSAGE: drafts.name(draft, delivery)})


SENDER = Sender(
    shiphero.PRESET.name,
    schemes.signer(shiphero.SCHEME),
    told(_webhook, KINDS),
    usual="shipped",
    dress=_dress,
)
