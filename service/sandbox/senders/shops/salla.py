"""Salla as a sender: events of orders, signed."""

from service.intake.provider import SignedRequest
from service.intake.providers.shops import salla
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

STATUS = "order.status.updated"
WORDS: dict[str, tuple[str, str]] = {
    "new": ("order.created", "payment_pending"),
    "confirmed": (STATUS, "in_progress"),
    "in_transit": (STATUS, "delivering"),
    "delivered": (STATUS, "delivered"),
    "cancelled": ("order.cancelled", "canceled"),
    "refunded": ("order.refunded", "restored"),
}


def dress(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    headers = {"Content-Type": "application/json", "X-Salla-Security-Strategy": "Signature"}
    return SignedRequest(headers, body)


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    event, slug = word
    total: Object = {"amount": float(occasion.amount), "currency": occasion.currency}
    return {
        "event": event,
        "merchant": 1234509876,
        "created_at": occasion.at.strftime("%a %b %d %Y %H:%M:%S GMT+0000"),
        "data": {
            "id": int(token("", occasion.order)[:8], 16),
            "reference_id": occasion.order,
            "status": {"id": 566146469, "name": slug, "slug": slug},
            "amounts": {"total": total},
        },
    }


SENDER = Sender(
    salla.PRESET.name,
    schemes.signer(salla.SCHEME),
    told(_event, WORDS),
    usual="delivered",
    dress=dress,
)
