"""MoySklad as a sender: webhooks that only point at documents, sent to the URL with the token."""

import uuid
from datetime import UTC
from zoneinfo import ZoneInfo

from service.intake.provider import SignedRequest
from service.intake.providers.warehouses import moysklad
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, told
from service.sandbox.senders.signing import drafts, sharing
from service.settings import Source

WORDS = {
    "order_changed": ("customerorder", "UPDATE"),
    "order_created": ("customerorder", "CREATE"),
    "shipped": ("demand", "CREATE"),
    "returned": ("salesreturn", "CREATE"),
}
"""Per sample: the kind of the document and what was done to it."""
MOSCOW = ZoneInfo(moysklad.ZONE)


def _webhook(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, action = word
    at = occasion.at.astimezone(UTC).astimezone(MOSCOW).strftime("%Y-%m-%d %H:%M:%S")
    number = uuid.uuid5(uuid.NAMESPACE_URL, f"{kind}:{occasion.order}")
    audit: Object = {"meta": {"type": "audit"}, "moment": at, "uid": "admin@shop"}
    meta: Object = {
        "type": kind,
        "href": f"{moysklad.API}/api/remap/1.2/entity/{kind}/{number}",
    }
    event: Object = {
        "meta": meta,
        "action": action,
        "accountId": str(uuid.uuid5(uuid.NAMESPACE_URL, "shop")),
    }
    return {"auditContext": audit, "events": [event]}


def _dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = SignedRequest({"Content-Type": "application/json"}, body)
    return drafts.with_query(draft, {"requestId": drafts.name(draft, delivery)})


SENDER = Sender(
    moysklad.PRESET.name,
    sharing.url_token(),
    told(_webhook, WORDS),
    usual="order_changed",
    dress=_dress,
)
