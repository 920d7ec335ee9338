"""Stripe as a sender: its samples, and its signature over time and body."""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.payments import stripe
from service.intake.providers.payments.stripe import amounts
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


def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
    stamp = int(delivery.at.timestamp())
    digest = hmac.digest(source.secrets[0].reveal(), b"%d." % stamp + draft.body, "sha256").hex()
    return replace(draft, headers={**draft.headers, stripe.HEADER: f"t={stamp},v1={digest}"})


def _intent(kind: str, status: str, source: Source, occasion: Occasion) -> bytes:
    amount = _minor(occasion)
    thing: Object = _payment("payment_intent", occasion) | {
        "amount": amount,
        "amount_capturable": amount if status == "requires_capture" else 0,
        "amount_received": amount if status == "succeeded" else 0,
        "status": status,
    }
    return _event(kind, thing, source, occasion)


def _charge(kind: str, refunded: int, source: Source, occasion: Occasion) -> bytes:
    """Make a charge of which `refunded` per cent went back."""
    amount = _minor(occasion)
    thing: Object = _payment("charge", occasion) | {
        "amount": amount,
        "amount_captured": amount,
        "amount_refunded": amount * refunded // 100,
        "captured": True,
        "paid": True,
        "payment_intent": _id("pi", occasion.order),
        "refunded": refunded == 100,
        "status": "succeeded",
    }
    return _event(kind, thing, source, occasion)


def _session(kind: str, source: Source, occasion: Occasion) -> bytes:
    thing: Object = _payment("checkout.session", occasion) | {
        "amount_total": _minor(occasion),
        "client_reference_id": occasion.order,
        "mode": "payment",
        "payment_intent": _id("pi", occasion.order),
        "payment_status": "paid",
        "status": "complete",
    }
    return _event(kind, thing, source, occasion)


def _dispute(kind: str, source: Source, occasion: Occasion) -> bytes:
    thing: Object = _payment("dispute", occasion) | {
        "amount": _minor(occasion),
        "charge": _id("ch", occasion.order),
        "payment_intent": _id("pi", occasion.order),
        "reason": "product_not_received",
        "status": "needs_response",
    }
    return _event(kind, thing, source, occasion)


_PREFIXES = {"payment_intent": "pi", "charge": "ch", "checkout.session": "cs", "dispute": "du"}


def _payment(kind: str, occasion: Occasion) -> Object:
    return {
        "id": _id(_PREFIXES[kind], occasion.order),
        "object": kind,
        "created": int(occasion.at.timestamp()),
        "currency": occasion.currency.lower(),
        "livemode": False,
        "metadata": {},
    }


def _event(kind: str, thing: Object, source: Source, occasion: Occasion) -> bytes:
    document: Object = {
        "id": occasion.key,
        "object": "event",
        "api_version": "2025-08-27.basil",
        "created": int(occasion.at.timestamp()),
        "data": {"object": thing},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": kind,
    }
    put(document, source.subject.ref or stripe.ORDER_PATH, occasion.order)
    return orjson.dumps(document)


def _id(prefix: str, order: str) -> str:
    return token(f"{prefix}_", order)


def _minor(occasion: Occasion) -> int:
    return int(occasion.amount.scaleb(amounts.decimals(occasion.currency)))


SAMPLES: Mapping[str, Sample] = {
    "awaiting_payment": partial(_intent, "payment_intent.created", "requires_payment_method"),
    "authorized": partial(_intent, "payment_intent.amount_capturable_updated", "requires_capture"),
    "paid": partial(_intent, "payment_intent.succeeded", "succeeded"),
    "failed": partial(_intent, "payment_intent.payment_failed", "requires_payment_method"),
    "cancelled": partial(_intent, "payment_intent.canceled", "canceled"),
    "charged": partial(_charge, "charge.succeeded", 0),
    "checkout": partial(_session, "checkout.session.completed"),
    "partially_refunded": partial(_charge, "charge.refunded", 40),
    "refunded": partial(_charge, "charge.refunded", 100),
    "chargeback": partial(_dispute, "charge.dispute.created"),
}

SIGNER = Signer(prove, f"header:{stripe.HEADER}", timed=True)
SENDER = Sender(stripe.NAME, SIGNER, SAMPLES, "paid")
