"""Shopify as a sender: orders, scans and disputes under their topics, and its signature."""

import base64
import hmac
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.shops import shopify
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sample,
    Sender,
    Signer,
    put,
    token,
)
from service.settings import Source

SHOP = "sandbox.myshopify.com"
SNAPSHOT = "orders/updated"
"""The topic of a body that is no sample."""


@dataclass(frozen=True, slots=True)
class Told:
    """A topic, and what is news in its body."""

    topic: str
    news: Mapping[str, JSON] = field(default_factory=dict)


TOLD: Mapping[str, Told] = {
    "new": Told("orders/create"),
    "authorized": Told("orders/create", {"financial_status": "authorized"}),
    "paid": Told("orders/paid", {"financial_status": "paid"}),
    "partially_shipped": Told("orders/partially_fulfilled", {"fulfillment_status": "partial"}),
    "shipped": Told("orders/fulfilled", {"fulfillment_status": "fulfilled"}),
    "cancelled": Told("orders/cancelled"),
    "partially_refunded": Told("orders/updated", {"financial_status": "partially_refunded"}),
    "refunded": Told("orders/updated", {"financial_status": "refunded"}),
    "in_transit": Told("fulfillment_events/create", {"status": "in_transit"}),
    "out_for_delivery": Told("fulfillment_events/create", {"status": "out_for_delivery"}),
    "delivered": Told("fulfillment_events/create", {"status": "delivered"}),
    "taken_back": Told("fulfillment_events/delete", {"status": "delivered"}),
    "refund": Told("refunds/create"),
    "sent": Told("fulfillments/create", {"status": "success", "tracking_company": "UPS"}),
    "chargeback": Told("disputes/create", {"status": "needs_response"}),
}


def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
    digest = hmac.digest(source.secrets[0].reveal(), draft.body, "sha256")
    proof = {shopify.SIGNATURE: base64.b64encode(digest).decode()}
    return replace(draft, headers={**draft.headers, **proof})


def dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    topic = TOLD[delivery.sample].topic if delivery.sample else SNAPSHOT
    event = delivery.key or token("", body.hex())
    headers = {
        "Content-Type": "application/json",
        "X-Shopify-Topic": topic,
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-API-Version": "2026-07",
        "X-Shopify-Event-Id": event,
        "X-Shopify-Webhook-Id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{topic}/{event}")),
        "X-Shopify-Triggered-At": delivery.at.isoformat(),
    }
    return SignedRequest(headers, body)


def _sample(told: Told, source: Source, occasion: Occasion) -> bytes:
    at, news = occasion.at.isoformat(), dict(told.news)
    if told.topic == "orders/cancelled":
        news |= {"cancelled_at": at, "cancel_reason": "customer"}
    if told.topic.startswith("orders/"):
        return orjson.dumps(_order(source, occasion) | news)
    thing: Object = {"id": number(occasion.key), "order_id": _order_id(source, occasion)}
    if told.topic.startswith("refunds/"):
        money: Object = {"id": thing["id"], "kind": "refund", "status": "success"}
        money |= {"amount": "9.90", "currency": occasion.currency}
        return orjson.dumps(thing | {"processed_at": at, "transactions": [money]})
    if told.topic.startswith("fulfillments/"):
        parcel: Object = {"id": _parcel(occasion), "updated_at": at}
        parcel["tracking_number"] = token("SH", occasion.order)[:14].upper()
        return orjson.dumps(thing | parcel | news)
    if told.topic.startswith("disputes/"):
        disputed: Object = {"amount": str(occasion.amount), "currency": occasion.currency}
        return orjson.dumps(
            thing
            | disputed
            | {"type": "chargeback", "reason": "fraudulent", "initiated_at": at}
            | news
        )
    place: Object = {"city": "Lisbon", "country": "PT", "happened_at": at, "created_at": at}
    place |= {"fulfillment_id": _parcel(occasion), "updated_at": at}
    return orjson.dumps(thing | place | news)


def _order(source: Source, occasion: Occasion) -> Object:
    at = occasion.at.isoformat()
    order: Object = {
        "id": number(occasion.order),
        "name": f"#{occasion.order}",
        "created_at": at,
        "updated_at": at,
        "cancelled_at": None,
        "currency": occasion.currency,
        "total_price": str(occasion.amount),
        "financial_status": "pending",
        "fulfillment_status": None,
        "fulfillments": [],
    }
    put(order, source.subject.ref or shopify.ORDER_PATH, occasion.order)
    return order


def _order_id(source: Source, occasion: Occasion) -> JSON:
    return _order(source, occasion)["id"]


def _parcel(occasion: Occasion) -> int:
    return number(f"{occasion.order}/1")


def number(text: str) -> int:
    """Make a long id up that is always the same."""
    return int(token("", text)[:15], 16)


SAMPLES: Mapping[str, Sample] = {name: partial(_sample, told) for name, told in TOLD.items()}

SIGNER = Signer(prove, f"header:{shopify.SIGNATURE}")
# Scans and disputes name the order by this id only.
SENDER = Sender(shopify.NAME, SIGNER, SAMPLES, "paid", dress, rules={"subject": {"ref": "id"}})
