"""PayPal as a sender: captures, refunds and disputes, signed with a certificate."""

from service.intake.providers.payments import paypal
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, str]] = {
    "authorized": ("PAYMENT.AUTHORIZATION.CREATED", "authorization"),
    "paid": ("PAYMENT.CAPTURE.COMPLETED", "capture"),
    "failed": ("PAYMENT.CAPTURE.DENIED", "capture"),
    "partially_refunded": ("PAYMENT.CAPTURE.REFUNDED", "refund"),
    "refund_failed": ("PAYMENT.REFUND.FAILED", "refund"),
    "chargeback": ("CUSTOMER.DISPUTE.CREATED", "dispute"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, resource_type = word
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    make = _dispute if resource_type == "dispute" else _moved
    return {
        "id": occasion.key,
        "event_version": "1.0",
        "create_time": at,
        "resource_type": resource_type,
        "event_type": kind,
        "summary": kind,
        "resource": make(kind, resource_type, occasion),
    }


def _moved(kind: str, resource_type: str, occasion: Occasion) -> Object:
    share = 40 if resource_type == "refund" else 100
    value = f"{occasion.amount * share / 100:.2f}"
    return {
        "id": _id(resource_type, occasion),
        "status": kind.rpartition(".")[2],
        "amount": {"currency_code": occasion.currency, "value": value},
        "invoice_id": occasion.order,
        "supplementary_data": {"related_ids": {"order_id": _id("order", occasion)}},
    }


def _dispute(_: str, __: str, occasion: Occasion) -> Object:
    value = f"{occasion.amount:.2f}"
    return {
        "dispute_id": f"PP-D-{_id('dispute', occasion)[:5]}",
        "disputed_transactions": [{"seller_transaction_id": _id("capture", occasion)}],
        "reason": "MERCHANDISE_OR_SERVICE_NOT_RECEIVED",
        "status": "OPEN",
        "dispute_amount": {"currency_code": occasion.currency, "value": value},
    }


def _id(resource_type: str, occasion: Occasion) -> str:
    return token("", f"{resource_type} {occasion.order}")[:17].upper()


SENDER = Sender(
    paypal.PRESET.name,
    schemes.signer(paypal.SCHEME),
    told(_event, WORDS),
    usual="paid",
    rules={"options": {"webhook_id": "WH-ID"}},
)
