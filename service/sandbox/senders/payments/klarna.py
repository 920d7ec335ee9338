"""Klarna as a sender: a payment request that moves, and a dispute, signed by a named key."""

from service.intake.provider import SignedRequest
from service.intake.providers.payments import klarna
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

WORDS = {
    "awaiting_payment": f"{klarna.REQUEST}submitted",
    "authorized": f"{klarna.REQUEST}completed",
    "cancelled": f"{klarna.REQUEST}expired",
    "chargeback": f"{klarna.DISPUTE}initiated",
    "dispute_lost": f"{klarna.DISPUTE}closed",
}
KEY = "krn:partner:global:notification:signing-key:49bcd37b-79a7-4e6e-b067-2903b45fef42"


def _event(kind: str, occasion: Occasion) -> Object:
    disputed = kind.startswith(klarna.DISPUTE)
    payload = _dispute(kind, occasion) if disputed else _request(kind, occasion)
    return {
        "metadata": {
            "event_type": kind,
            "event_id": occasion.key,
            "event_version": "v2",
            "occurred_at": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "webhook_id": "krn:notification:webhook:120e5b7e-abcd-4def-8a90-dca726e639b5",
            "live": True,
        },
        "payload": {**payload, "merchant_reference2": occasion.order},
    }


def _request(kind: str, occasion: Occasion) -> Object:
    state = kind.rpartition(".")[2]
    said: Object = {
        "payment_request_id": token("krn:payment:eu1:request:", occasion.order),
        "state": state.upper(),
    }
    if state == "completed":
        said["klarna_network_session_token"] = token("krn:network:", occasion.order)
    return said


def _dispute(kind: str, occasion: Occasion) -> Object:
    outcome: Object = {"dispute_outcome": "LOST"} if kind.endswith("closed") else {}
    return {"order_id": token("", occasion.order), **outcome}


def _dressed(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    return SignedRequest({"Content-Type": "application/json", "Klarna-Signing-Key-Id": KEY}, body)


SENDER = Sender(
    klarna.PRESET.name,
    schemes.signer(klarna.SCHEME),
    told(_event, WORDS),
    usual="authorized",
    dress=_dressed,
)
