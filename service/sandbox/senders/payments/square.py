"""Square as a sender: payments, refunds, disputes and fulfillments, signed with their address."""

from service.intake.providers.payments import square
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS: dict[str, tuple[str, str]] = {
    "awaiting_payment": ("payment.created", "PENDING"),
    "authorized": ("payment.updated", "APPROVED"),
    "paid": ("payment.updated", "COMPLETED"),
    "partially_refunded": ("refund.updated", "COMPLETED"),
    "refund_failed": ("refund.updated", "FAILED"),
    "chargeback": ("dispute.created", "EVIDENCE_REQUIRED"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, state = word
    family = kind.partition(".")[0]
    thing = {"payment": _payment, "refund": _refund, "dispute": _dispute}[family](state, occasion)
    return {
        "merchant_id": "6SSW7HV8K2ST5",
        "type": kind,
        "event_id": occasion.key,
        "created_at": _at(occasion),
        "data": {"type": family, "id": thing["id"], "object": {family: thing}},
    }


def _payment(state: str, occasion: Occasion) -> Object:
    return {
        "id": token("pay", occasion.order),
        "status": state,
        "amount_money": _money(occasion, 100),
        "order_id": token("ord", occasion.order),
        "reference_id": occasion.order,
        "created_at": _at(occasion),
        "version": 1,
    }


def _refund(state: str, occasion: Occasion) -> Object:
    return {
        "id": token("ref", occasion.order),
        "status": state,
        "amount_money": _money(occasion, 40),
        "payment_id": token("pay", occasion.order),
        "order_id": token("ord", occasion.order),
        "created_at": _at(occasion),
    }


def _dispute(state: str, occasion: Occasion) -> Object:
    return {
        "id": token("dts", occasion.order),
        "state": state,
        "amount_money": _money(occasion, 100),
        "reason": "NOT_RECEIVED",
        "disputed_payment": {"payment_id": token("pay", occasion.order)},
    }


def _money(occasion: Occasion, share: int) -> Object:
    return {"amount": int(occasion.amount * 100) * share // 100, "currency": occasion.currency}


def _at(occasion: Occasion) -> str:
    return occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")


SENDER = Sender(
    square.PRESET.name, schemes.signer(square.SCHEME), told(_event, WORDS), usual="paid"
)
