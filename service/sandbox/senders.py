"""Simulated senders: a source and an occasion in, what its provider would post out."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import partial

import orjson

from service.domain.errors import ConfigurationError
from service.domain.lifecycle import LIFECYCLES
from service.intake.providers import generic, signing, stripe
from service.intake.providers.base import SignedRequest
from service.intake.providers.mapping import JSON
from service.settings import BasicRule, BearerRule, HmacRule, Source

Object = dict[str, JSON]


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a sample is about; equal occasions give equal bytes."""

    order: str
    at: datetime
    key: str
    """The sender's own id of the event; the same id again is a duplicate."""
    amount: Decimal = Decimal("149.90")
    currency: str = "EUR"


Sample = Callable[[Source, Occasion], bytes]


def sign(source: Source, body: bytes, *, at: datetime, key: str = "") -> SignedRequest:
    """Sign as the provider would, with the first (newest) secret; `key` fills a key header."""
    headers = {"Content-Type": "application/json"}
    secret = source.secrets[0].reveal()
    match source.provider:
        case stripe.NAME:
            stamp = int(at.timestamp())
            digest = hmac.digest(secret, b"%d." % stamp + body, "sha256").hex()
            headers[stripe.HEADER] = f"t={stamp},v1={digest}"
        case generic.NAME:
            headers |= _generic_headers(source, secret, body, at=at)
        case other:
            raise ConfigurationError(f"There is no simulated sender for the provider {other}.")
    if source.key is not None and source.key.startswith("header:"):
        name = source.key.removeprefix("header:")
        headers[name] = key or hashlib.sha256(body).hexdigest()[:32]
    return SignedRequest(headers, body)


def _generic_headers(source: Source, secret: bytes, body: bytes, *, at: datetime) -> dict[str, str]:
    match source.verify:
        case HmacRule() as rule:
            stamp = str(int(at.timestamp()))
            signed = signing.fill(signing.pieces(rule.signed), body, time=stamp)
            digest = hmac.digest(secret, signed, rule.algorithm)
            timed = {rule.timestamp_header: stamp} if rule.timestamp_header else {}
            return timed | {rule.header: rule.prefix + signing.encode(digest, rule.encoding)}
        case BearerRule():
            return {"Authorization": f"Bearer {secret.decode('latin-1')}"}
        case BasicRule():
            return {"Authorization": f"Basic {b64encode(secret).decode('ascii')}"}
        case None:
            raise ConfigurationError(f"The source {source.name} has no verify rule to sign by.")


def sample(source: Source, name: str, occasion: Occasion) -> bytes:
    """Make the named sample of the source's provider."""
    known = SAMPLES.get(source.provider, {})
    if name not in known:
        names = ", ".join(known) or "none"
        raise ConfigurationError(f"{source.provider} has no sample {name}; there is: {names}.")
    return known[name](source, occasion)


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
    return f"{prefix}_{hashlib.sha256(order.encode()).hexdigest()[:24]}"


def _minor(occasion: Occasion) -> int:
    return int(occasion.amount.scaleb(stripe.decimals(occasion.currency)))


def _mapped(target: str, source: Source, occasion: Occasion) -> bytes:
    """Make the event that the source's own mapping reads as the target."""
    item: Object = {}
    put(item, source.subject.ref or "", occasion.order)
    if source.key is not None and not source.key.startswith("header:"):
        put(item, source.key, occasion.key)
    if source.occurred_at is not None:
        put(item, source.occurred_at, occasion.at.isoformat())
    if source.status is not None:
        put(item, source.status, _word(source, target))
    for label, path in source.attributes.items():
        put(item, path, _fact(label, occasion))
    return orjson.dumps(_wrap(source.items, item))


def _word(source: Source, target: str) -> str:
    for word, meaning in source.statuses.items():
        if meaning == target:
            return word
    raise ConfigurationError(f"The source {source.name} has no word for {target} in its statuses.")


def _fact(label: str, occasion: Occasion) -> JSON:
    known: Object = {
        "amount": str(occasion.amount),
        "currency": occasion.currency,
        "vip": False,
        "tracking_number": f"TRK-{occasion.order}",
        "tracking_url": f"https://track.example.com/TRK-{occasion.order}",
    }
    return known.get(label, f"sample {label}")


def _wrap(items: str | None, item: Object) -> JSON:
    if items is None:
        return item
    path = re.sub(r"\[\*?\]$", "", items.strip())
    if path in {"", "@"}:
        return [item]
    document: Object = {}
    put(document, path, [item])
    return document


_STEP = r'(?:[A-Za-z_]\w*|"[^"\\]+")'
_STEPS = re.compile(rf"{_STEP}(?:\.{_STEP})*")


def put(document: Object, expression: str, value: JSON) -> None:
    """Write a value where a plain JMESPath (the first of several joined by ||) will find it."""
    path = expression.split("||", maxsplit=1)[0].strip()
    if _STEPS.fullmatch(path) is None:
        raise ConfigurationError(
            f"No sample can be made for the JMESPath {expression!r}; send a body of your own."
        )
    *parents, last = (step.strip('"') for step in re.findall(_STEP, path))
    for step in parents:
        inner = document.setdefault(step, {})
        if not isinstance(inner, dict):
            raise ConfigurationError(f"Two paths of the source meet at {step!r} of {path!r}.")
        document = inner
    document[last] = value


SAMPLES: Mapping[str, Mapping[str, Sample]] = {
    stripe.NAME: {
        "awaiting_payment": partial(_intent, "payment_intent.created", "requires_payment_method"),
        "authorized": partial(
            _intent, "payment_intent.amount_capturable_updated", "requires_capture"
        ),
        "paid": partial(_intent, "payment_intent.succeeded", "succeeded"),
        "failed": partial(_intent, "payment_intent.payment_failed", "requires_payment_method"),
        "cancelled": partial(_intent, "payment_intent.canceled", "canceled"),
        "charged": partial(_charge, "charge.succeeded", 0),
        "checkout": partial(_session, "checkout.session.completed"),
        "partially_refunded": partial(_charge, "charge.refunded", 40),
        "refunded": partial(_charge, "charge.refunded", 100),
        "chargeback": partial(_dispute, "charge.dispute.created"),
    },
    generic.NAME: {
        f"{lane.name}.{status}": partial(_mapped, f"{lane.name}.{status}")
        for lane in LIFECYCLES["order"].lanes.values()
        for status in lane.statuses
    },
}
"""Per provider: the sample's name, and what makes its body for a source."""
