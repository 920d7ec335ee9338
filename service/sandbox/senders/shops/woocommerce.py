"""WooCommerce as a sender: an order as it is now, under its topic, signed."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from service.intake.provider import SignedRequest
from service.intake.providers.shops import woocommerce
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

SHOP = "https://shop.example/"


@dataclass(frozen=True, slots=True)
class Told:
    """A topic, and what is news in its order."""

    topic: str
    news: Mapping[str, JSON] = field(default_factory=dict)


TOLD: Mapping[str, Told] = {
    "new": Told("order.created", {"status": "pending"}),
    "paid": Told("order.updated", {"status": "processing"}),
    "packed": Told("order.updated", {"status": "ready-for-pickup"}),
    "completed": Told("order.updated", {"status": "completed"}),
    "partially_refunded": Told(
        "order.updated",
        {"status": "completed", "refunds": [{"id": 812, "reason": "late", "total": "-9.90"}]},
    ),
    "refunded": Told("order.updated", {"status": "refunded"}),
    "cancelled": Told("order.updated", {"status": "cancelled"}),
}


def dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    topic = TOLD[delivery.sample].topic if delivery.sample else "order.updated"
    headers = {
        "Content-Type": "application/json",
        "X-WC-Webhook-Source": SHOP,
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Resource": "order",
        "X-WC-Webhook-Event": topic.partition(".")[2],
        "X-WC-Webhook-ID": "7",
        "X-WC-Webhook-Delivery-ID": token("", delivery.key),
    }
    return SignedRequest(headers, body)


def _order(said: Told, occasion: Occasion) -> Object:
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S")
    order: Object = {
        "id": int(token("", occasion.order)[:7], 16),
        "status": "pending",
        "currency": occasion.currency,
        "total": str(occasion.amount),
        "date_created_gmt": at,
        "date_modified_gmt": at,
        "date_paid_gmt": at if said.news["status"] != "pending" else None,
        "order_key": token("wc_order_", occasion.order)[:22],
        "refunds": [],
    }
    return order | dict(said.news)


SENDER = Sender(
    woocommerce.PRESET.name,
    schemes.signer(woocommerce.SCHEME),
    told(_order, TOLD, ref="number"),
    "paid",
    dress,
)
