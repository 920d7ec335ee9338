"""Any other system as a sender: what a source's own mapping reads as the target, signed."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import assert_never

from service.domain.errors import ConfigurationError
from service.domain.lifecycles import LIFECYCLES
from service.intake.provider import SignedRequest
from service.intake.providers.anyone import generic
from service.intake.reading.mapping import Dating
from service.intake.reading.paths import JSON
from service.intake.verification import signing
from service.sandbox.senders import bodies
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sample,
    Sender,
    Signer,
    put,
)
from service.sandbox.senders.signing import sharing
from service.sandbox.senders.signing.drafts import with_headers
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    HmacRule,
    QueryRule,
    Source,
    UrlTokenRule,
)


def dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    headers = {"Content-Type": bodies.CONTENT_TYPES[source.format]}
    if source.key is not None and source.key.startswith("header:"):
        name = source.key.removeprefix("header:")
        headers[name] = named_by(body, delivery)
    return SignedRequest(headers, body)


def named_by(body: bytes, delivery: Delivery) -> str:
    """The id of an event that travels beside the body."""
    return delivery.key or hashlib.sha256(body).hexdigest()[:32]


def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
    return signer(source).prove(source, draft, delivery)


def signer(source: Source) -> Signer:
    """Choose how a source's sender proves itself."""
    match source.verify:
        case HmacRule() as rule:
            return _keyed(rule)
        case BearerRule():
            return sharing.bearer()
        case BasicRule():
            return sharing.basic()
        case HeaderRule(header=name, prefix=prefix):
            return sharing.header(name, prefix)
        case QueryRule(parameter=parameter):
            return sharing.query(parameter)
        case UrlTokenRule():
            return sharing.url_token()
        case None:
            raise ConfigurationError(f"The source {source.name} has no verify rule to sign by.")
        case other:
            assert_never(other)


def _keyed(rule: HmacRule) -> Signer:
    stamped, named = rule.timestamp_header, rule.id_header

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        stamp = str(int(delivery.at.timestamp()))
        key = named_by(draft.body, delivery)
        signed = signing.fill(signing.pieces(rule.signed), draft.body, time=stamp, key=key)
        digest = hmac.digest(source.secrets[0].reveal(), signed, rule.algorithm)
        proof = {rule.header: rule.prefix + signing.encode(digest, rule.encoding)}
        proof |= {stamped: stamp} if stamped else {}
        return with_headers(draft, proof | ({named: key} if named else {}))

    also = tuple(f"header:{header}" for header in (stamped, named) if header)
    return Signer(prove, f"header:{rule.header}", also, timed=bool(stamped))


def _mapped(target: str, source: Source, occasion: Occasion) -> bytes:
    """Make the event that the source's own mapping reads as the target."""
    item: Object = {}
    if source.format == "cloudevents":
        item |= _envelope(occasion)
    put(item, source.subject.ref or "", occasion.order)
    if source.key is not None and not source.key.startswith("header:"):
        put(item, source.key, occasion.key)
    if source.occurred_at is not None:
        put(item, source.occurred_at, _time(source, occasion.at))
    if source.status is not None:
        put(item, source.status, _word(source, target))
    for label, path in source.attributes.items():
        put(item, path, _fact(label, occasion))
    return bodies.write(source.format, _wrap(source.items, item))


def _envelope(occasion: Occasion) -> Object:
    return {
        "specversion": "1.0",
        "id": occasion.key,
        "source": "/samples",
        "type": "sample",
        "time": occasion.at.isoformat(),
    }


def _time(source: Source, at: datetime) -> JSON:
    """Write a time in the first form the source reads."""
    match source.time_formats[0]:
        case "auto" | "iso":
            return at.isoformat()
        case "unix":
            return int(at.timestamp())
        case "unix_ms":
            return int(at.timestamp() * 1000)
        case pattern:
            return at.astimezone(Dating.of(source).zone).strftime(pattern)


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


SAMPLES: Mapping[str, Sample] = {
    f"{lane.name}.{status}": partial(_mapped, f"{lane.name}.{status}")
    for lane in LIFECYCLES["order"].lanes.values()
    for status in lane.statuses
}

SENDER = Sender(
    generic.NAME,
    Signer(prove, "header:X-Signature", ("header:X-Time",), timed=True),
    SAMPLES,
    "fulfillment.picking",
    dress,
    rules={
        "verify": {
            "scheme": "hmac",
            "header": "X-Signature",
            "signed": "{timestamp}.{body}",
            "timestamp_header": "X-Time",
        },
        "key": "id",
        "subject": {"ref": "order.number"},
        "occurred_at": "at",
        "status": "state",
        "statuses": {"PICKING": "fulfillment.picking", "PACKED": "fulfillment.packed"},
        "attributes": {"amount": "total", "vip": "customer.vip"},
    },
)
