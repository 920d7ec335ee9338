"""Braintree as a sender: forms that hold base64 of XML, signed with the keys of the API."""

from base64 import encodebytes

from service.intake.providers.payments import braintree
from service.sandbox.senders import bodies
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import hashing

PUBLIC_KEY = "integration_public_key"
WORDS = {
    "paid": "transaction_settled",
    "failed": "transaction_settlement_declined",
    "refund_failed": "refund_failed",
    "chargeback": "dispute_opened",
    "dispute_won": "dispute_won",
}


def _event(kind: str, occasion: Occasion) -> Object:
    subject = _dispute(occasion) if kind.startswith("dispute_") else _transaction(kind, occasion)
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    document: Object = {
        "notification": {
            "timestamp": {"@type": "datetime", "#text": at},
            "kind": kind,
            "subject": subject,
        }
    }
    return {"bt_payload": encodebytes(bodies.write("xml", document)).decode("ascii")}


def _transaction(kind: str, occasion: Occasion) -> Object:
    sale = token("", occasion.order)[:8]
    own: Object = {"id": sale}
    if kind == "refund_failed":
        own = {"id": token("r", occasion.order)[:8], "refunded-transaction-id": sale}
    return {
        "transaction": {
            **own,
            "status": "processor_declined" if kind == "refund_failed" else kind[12:],
            "type": "credit" if kind == "refund_failed" else "sale",
            "currency-iso-code": occasion.currency,
            "amount": f"{occasion.amount:.2f}",
            "order-id": occasion.order,
        }
    }


def _dispute(occasion: Occasion) -> Object:
    return {
        "dispute": {
            "id": token("d", occasion.order)[:16],
            "amount": f"{occasion.amount:.2f}",
            "amount-disputed": f"{occasion.amount:.2f}",
            "currency-iso-code": occasion.currency,
            "kind": "chargeback",
            "reason": "fraud",
            "transaction": {
                "id": token("", occasion.order)[:8],
                "order-id": occasion.order,
            },
        }
    }


SENDER = Sender(
    braintree.PRESET.name,
    hashing.fields(braintree.signed([PUBLIC_KEY]), write=lambda proof: f"{PUBLIC_KEY}|{proof}"),
    told(_event, WORDS, form="form"),
    usual="paid",
    dress=as_form,
    rules={"options": {braintree.OPTION: PUBLIC_KEY}},
)
