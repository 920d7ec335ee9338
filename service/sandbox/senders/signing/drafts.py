"""Requests about to be posted: parts and places come in, the whole request goes out."""

from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import assert_never
from urllib.parse import quote, urlencode

import orjson

from service.domain.errors import ConfigurationError
from service.intake.provider import RawRequest, SignedRequest
from service.intake.reading.paths import JSON
from service.intake.verification.templates import Unit
from service.sandbox.senders.occasion import Delivery, put, token
from service.settings import Source


def with_headers(draft: SignedRequest, headers: dict[str, str]) -> SignedRequest:
    return replace(draft, headers={**draft.headers, **headers})


def with_query(draft: SignedRequest, parameters: dict[str, str]) -> SignedRequest:
    added = urlencode(parameters)
    return replace(draft, query=f"{draft.query}&{added}" if draft.query else added)


def with_field(draft: SignedRequest, path: str, value: JSON) -> SignedRequest:
    """Write a value into a JSON body, where a plain JMESPath finds it."""
    document = orjson.loads(draft.body)
    put(document, path, value)
    return replace(draft, body=orjson.dumps(document))


def at_place(draft: SignedRequest, place: str, value: str) -> SignedRequest:
    """Write a value at `header:Name`, `query:name` or `body:JMESPATH`."""
    kind, _, name = place.partition(":")
    match kind:
        case "header":
            return with_headers(draft, {name: value})
        case "query":
            return with_query(draft, {name: value})
        case "body":
            return with_field(draft, name, value)
        case _:
            raise ConfigurationError(f"A simulated sender can write nothing at {place}.")


def arrived(source: Source, draft: SignedRequest, delivery: Delivery) -> RawRequest:
    """See the request as the gateway will."""
    tail = f"/{quote(draft.tail)}" if draft.tail else ""
    path = f"/webhooks/{source.name}{tail}"
    return RawRequest(
        method="POST",
        path=path,
        query=draft.query,
        headers=[(name.lower(), value) for name, value in draft.headers.items()],
        body=draft.body,
        received_at=delivery.at,
        tail=draft.tail,
        url=f"{delivery.base}{path}{f'?{draft.query}' if draft.query else ''}",
    )


def stamp(at: datetime, unit: Unit) -> str:
    """Write a time of signing."""
    match unit:
        case "s":
            return str(int(at.timestamp()))
        case "ms":
            return str(int(at.timestamp() * 1000))
        case "iso":
            return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case "http":
            return format_datetime(at.astimezone(UTC), usegmt=True)
        case other:
            assert_never(other)


def name(draft: SignedRequest, delivery: Delivery) -> str:
    """Name a request; without a key its bytes do."""
    return delivery.key or token("msg_", draft.body.hex())
