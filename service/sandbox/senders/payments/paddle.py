"""Paddle as a sender: a transaction that is paid, and its adjustments, signed with the time."""

from service.intake.providers.payments import paddle
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, str, str]] = {
    "awaiting_payment": ("transaction.ready", "ready", ""),
    "paid": ("transaction.completed", "completed", ""),
    "failed": ("transaction.payment_failed", "past_due", ""),
    "partially_refunded": ("adjustment.updated", "approved", "refund"),
    "refund_rejected": ("adjustment.updated", "rejected", "refund"),
    "chargeback": ("adjustment.created", "approved", "chargeback"),
}


def _event(word: tuple[str, str, str], occasion: Occasion) -> Object:
    kind, status, action = word
    thing = _adjustment(action, occasion) if action else _transaction(occasion)
    return {
        "event_id": occasion.key,
        "event_type": kind,
        "occurred_at": occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000000Z"),
        "notification_id": token("ntf_", occasion.key),
        "data": {**thing, "status": status, "currency_code": occasion.currency},
    }


def _transaction(occasion: Occasion) -> Object:
    total = str(int(occasion.amount * 100))
    return {
        "id": token("txn_", occasion.order),
        "custom_data": {"order_no": occasion.order},
        "details": {"totals": {"grand_total": total, "currency_code": occasion.currency}},
        "invoice_number": "325-10566",
    }


def _adjustment(action: str, occasion: Occasion) -> Object:
    whole = action == "chargeback"
    total = int(occasion.amount * 100) * (100 if whole else 40) // 100
    return {
        "id": token("adj_", f"{action} {occasion.order}"),
        "action": action,
        "type": "full" if whole else "partial",
        "transaction_id": token("txn_", occasion.order),
        "reason": "fraud" if whole else "requested_by_customer",
        "totals": {"subtotal": str(total), "tax": "0", "total": str(total)},
    }


SENDER = Sender(
    paddle.PRESET.name, schemes.signer(paddle.SCHEME), told(_event, WORDS), usual="paid"
)
