"""Any other system as a sender: what a source's own mapping reads as the target, signed."""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from functools import partial
from urllib.parse import urlencode

from service.domain.errors import ConfigurationError
from service.domain.lifecycles import LIFECYCLES
from service.intake.provider import SignedRequest
from service.intake.providers.anyone import generic
from service.intake.reading.mapping import Dating
from service.intake.reading.paths import JSON
from service.intake.verification import signing
from service.sandbox.senders import bodies
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sample, Sender, put
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    HmacRule,
    QueryRule,
    Source,
    UrlTokenRule,
)


def sign(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    signed = _prove(source, body, delivery)
    headers = {"Content-Type": bodies.CONTENT_TYPES[source.format], **signed.headers}
    if source.key is not None and source.key.startswith("header:"):
        name = source.key.removeprefix("header:")
        headers[name] = delivery.key or hashlib.sha256(body).hexdigest()[:32]
    return replace(signed, headers=headers)


def _prove(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    if isinstance(source.verify, UrlTokenRule):
        return SignedRequest({}, body, tail=_newest(source))
    if isinstance(source.verify, QueryRule):
        return SignedRequest({}, body, query=urlencode({source.verify.parameter: _newest(source)}))
    return SignedRequest(_proof(source, body, delivery), body)


def _newest(source: Source) -> str:
    by_url = source.url_token if isinstance(source.verify, UrlTokenRule) else None
    return (by_url or source.secrets[0]).reveal().decode("latin-1")


def _proof(source: Source, body: bytes, delivery: Delivery) -> dict[str, str]:
    secret = source.secrets[0].reveal()
    match source.verify:
        case HmacRule() as rule:
            stamp = str(int(delivery.at.timestamp()))
            signed = signing.fill(signing.pieces(rule.signed), body, time=stamp)
            digest = hmac.digest(secret, signed, rule.algorithm)
            timed = {rule.timestamp_header: stamp} if rule.timestamp_header else {}
            return timed | {rule.header: rule.prefix + signing.encode(digest, rule.encoding)}
        case BearerRule():
            return {"Authorization": f"Bearer {_newest(source)}"}
        case BasicRule():
            return {"Authorization": f"Basic {b64encode(secret).decode('ascii')}"}
        case HeaderRule() as rule:
            return {rule.header: rule.prefix + _newest(source)}
        case _:
            raise ConfigurationError(f"The source {source.name} has no verify rule to sign by.")


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

SENDER = Sender(generic.NAME, sign, SAMPLES)
