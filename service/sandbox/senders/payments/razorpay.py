"""Razorpay as a sender: payments, refunds and disputes, their id in a header."""

from service.intake.provider import SignedRequest
from service.intake.providers.payments import razorpay
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.sandbox.senders.signing.drafts import name
from service.settings import Source

WORDS = {
    "authorized": "payment.authorized",
    "paid": "order.paid",
    "failed": "payment.failed",
    "partially_refunded": "refund.processed",
    "refund_failed": "refund.failed",
    "chargeback": "payment.dispute.created",
}


def _event(kind: str, occasion: Occasion) -> Object:
    payload: Object = {"payment": {"entity": _payment(kind, occasion)}}
    if kind == "order.paid":
        payload["order"] = {"entity": _order(occasion)}
    if kind.startswith("refund."):
        payload["refund"] = {"entity": _part("refund", "rfnd_", 40, kind, occasion)}
    if kind.startswith("payment.dispute."):
        payload["dispute"] = {"entity": _part("dispute", "disp_", 100, kind, occasion)}
    return {
        "entity": "event",
        "account_id": "acc_BFQ7uQEaa7j2z7",
        "event": kind,
        "contains": list(payload),
        "payload": payload,
        "created_at": int(occasion.at.timestamp()),
    }


def _payment(kind: str, occasion: Occasion) -> Object:
    went_back = kind == "refund.processed"
    captured = kind not in {"payment.authorized", "payment.failed"}
    return {
        "id": token("pay_", occasion.order),
        "entity": "payment",
        "amount": _minor(occasion, 100),
        "currency": occasion.currency,
        "status": "captured" if captured else kind.partition(".")[2],
        "order_id": token("order_", occasion.order),
        "amount_refunded": _minor(occasion, 40) if went_back else 0,
        "refund_status": "partial" if went_back else None,
        "captured": captured,
        "notes": {"order_no": occasion.order},
    }


def _order(occasion: Occasion) -> Object:
    return {
        "id": token("order_", occasion.order),
        "entity": "order",
        "amount": _minor(occasion, 100),
        "currency": occasion.currency,
        "receipt": occasion.order,
        "status": "paid",
    }


def _part(entity: str, prefix: str, share: int, kind: str, occasion: Occasion) -> Object:
    return {
        "id": token(prefix, occasion.order),
        "entity": entity,
        "amount": _minor(occasion, share),
        "currency": occasion.currency,
        "payment_id": token("pay_", occasion.order),
        "status": "open" if entity == "dispute" else kind.partition(".")[2],
    }


def _minor(occasion: Occasion, share: int) -> int:
    return int(occasion.amount * 100) * share // 100


def _dressed(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = SignedRequest({"Content-Type": "application/json"}, body)
    return SignedRequest({**draft.headers, "X-Razorpay-Event-Id": name(draft, delivery)}, body)


SENDER = Sender(
    razorpay.PRESET.name,
    schemes.signer(razorpay.SCHEME),
    told(_event, WORDS),
    usual="paid",
    dress=_dressed,
)
