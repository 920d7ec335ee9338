"""The destination kind `rabbitmq`: a change becomes a CloudEvent 1.0 on an exchange of the user.

It is published with a confirm and must reach a queue. A lost confirm is repeated with the same
message id, so receivers see a change at least once and know it again by that id; `version` in the
data only grows. The exchange is looked at and never declared.

CloudEvents 1.0.2: specification, JSON format and AMQP binding (cloudevents/spec @0b058d0). That
binding is for AMQP 1.0; its property names stand in the headers of AMQP 0-9-1.
"""

import asyncio
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Literal
from urllib.parse import quote

import orjson

from service import tracing
from service.domain import templates
from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.domain.events import AttributeValue
from service.domain.templates import Slot, Template, TemplateError
from service.settings import Destination
from service.worker.crms import told
from service.worker.crms.base import (
    Answer,
    Capabilities,
    Change,
    Class,
    Crm,
    Publish,
    Spending,
    Write,
)
from service.worker.crms.kind import Kind, Option, Tools

NAME = "rabbitmq"
BATCH = 100
MAX_KEY = 255
"""Bytes of a routing key and of a message id in AMQP 0-9-1."""
MAX_BODY = 1024 * 1024
WORDS = ("lifecycle", "status", "destination")
"""What a routing key is made of: our own words and those of the configuration, never a sender's."""
USUAL_KEY = "{lifecycle}.{status}"
HASHED = 32
CAPABILITIES = Capabilities(batch=BATCH, idempotent=True)
MODES = ("structured", "binary")
OPTIONS = (
    Option(
        "exchange",
        "The exchange it publishes to; it must exist.",
        'exchange = "orders"',
        required=True,
    ),
    Option(
        "routing_key",
        "Template of {lifecycle}, {status} and {destination}; usually {lifecycle}.{status}.",
        'routing_key = "shop.{lifecycle}.{status}"',
    ),
    Option(
        "mode",
        "structured (all in the body) or binary (attributes in headers); usually structured.",
        'mode = "binary"',
    ),
    Option(
        "mask",
        "Attributes that are left out, or a table of drop and hash; usually none.",
        'mask = { email = "hash", phone = "drop" }',
    ),
    Option("source", "The CloudEvents source; usually /orderhook/NAME.", 'source = "/shop/eu"'),
)
SET_UP = """\
1. On the broker declare a durable exchange, as type topic, and bind the queues that read it:
   orderhook looks at the exchange and never declares or binds anything.
2. options = { exchange = "orders" }; the broker is the one of [broker]. For another one, put its
   URL into secret = "env:ESB_AMQP_URL" (amqps://user:password@host/vhost); the user needs the
   right to write to the exchange only.
3. A message that no queue takes is refused and becomes a dead letter: bind a queue for #, or for
   each lifecycle.
4. Receivers drop a message_id they know, and a version lower than the last one of its subject.
5. mask hashes with HMAC-SHA256 under token = "env:MASK_KEY", so that equal values stay equal."""


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError for options that do not fit, and where there is no broker."""
    if tools.publish is None:
        raise ConfigurationError(
            f'{destination.name} has no broker to publish to: broker.url is "embedded". Name one '
            'in secret = "env:ESB_AMQP_URL".'
        )
    mask = _mask(destination)
    key = destination.token.reveal() if destination.token else b""
    if "hash" in mask.values() and len(key) < 16:
        raise ConfigurationError(
            f"{destination.name} hashes attributes and has no key of 16 bytes or more for it: add "
            'token = "env:MASK_KEY".'
        )
    return RabbitMq(
        name=destination.name,
        exchange=_exchange(destination),
        routing_key=_routing_key(destination),
        source=_text(destination, "source", f"/orderhook/{destination.name}"),
        mode="binary" if _mode(destination) == "binary" else "structured",
        mask=mask,
        key=key,
        statuses=destination.statuses,
        names={
            ours: theirs if isinstance(theirs, str) else theirs.field
            for ours, theirs in destination.attributes.items()
        },
        spending=tools.spending,
        publish=tools.publish,
    )


@dataclass(slots=True)
class RabbitMq:
    """One exchange that is told every change."""

    name: str
    exchange: str
    routing_key: Template
    source: str
    mode: Literal["structured", "binary"]
    mask: Mapping[str, str]
    key: bytes = field(repr=False)
    statuses: Mapping[str, str]
    names: Mapping[str, str]
    spending: Spending = field(repr=False)
    publish: Publish = field(repr=False)

    capabilities: Capabilities = CAPABILITIES

    def limits(self) -> Sequence[Limit]:
        """None but those the configuration adds."""
        return ()

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return await asyncio.gather(*(self._told(write.change) for write in writes))

    async def _told(self, change: Change) -> Answer:
        wait = await self.spending.spend({"requests": 1.0})
        if wait is not None:
            detail = "The budget for this destination is spent."
            return Answer(Class.RATE, "publish", after=wait, detail=detail, tried=False)
        body, headers = self.message(change)
        routing_key = self.key_of(change)
        if len(routing_key) > MAX_KEY or len(body) > MAX_BODY:
            detail = "Its routing key or its body is too long for a message: shorten the options."
            return Answer(Class.PERMANENT, "publish", detail=detail)
        try:
            await self.publish(self.exchange, routing_key, body, headers)
        except (OSError, LookupError, ValueError) as error:
            return _judged(error)
        return Answer(Class.OK, "publish")

    def key_of(self, change: Change) -> str:
        """Each word encoded, so that none holds a dot, a wildcard or a letter beyond ASCII."""
        words = {
            "lifecycle": change.subject.lifecycle,
            "status": self.statuses.get(change.status, change.status),
            "destination": self.name,
        }
        return "".join(
            piece if isinstance(piece, str) else _word(words[piece.name])
            for piece in self.routing_key
        )

    def message(self, change: Change) -> tuple[bytes, dict[str, str]]:
        """The body and the headers; the same for the same change."""
        attributes = {
            "specversion": "1.0",
            "id": change.key,
            "source": self.source,
            "type": told.kind(change),
            "subject": str(change.subject),
            "time": change.changed_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        }
        data = told.data(
            change,
            statuses=self.statuses,
            attributes=told.renamed(self._masked(change.attributes), self.names),
        )
        fixed = {"message-id": message_id(change.key), **tracing.headers()}
        if self.mode == "structured":
            event = {**attributes, "datacontenttype": "application/json", "data": data}
            return _json(event), {**fixed, "content-type": "application/cloudevents+json"}
        shown = {f"cloudEvents:{name}": value for name, value in attributes.items()}
        return _json(data), {**fixed, **shown, "content-type": "application/json"}

    def _masked(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        return {
            name: self._hashed(value) if self.mask.get(name) == "hash" else value
            for name, value in attributes.items()
            if self.mask.get(name) != "drop"
        }

    def _hashed(self, value: AttributeValue) -> str:
        text = value if isinstance(value, str) else str(value).lower()
        return hmac.digest(self.key, text.encode(), hashlib.sha256).hex()[:HASHED]


def message_id(key: str) -> str:
    """The idempotency key, or its hash where AMQP has no room for it."""
    fits = len(key.encode()) <= MAX_KEY
    return key if fits else f"sha256:{hashlib.sha256(key.encode()).hexdigest()}"


def _word(text: str) -> str:
    # quote leaves dots and tildes as they are; a dot would begin a word of its own.
    return quote(text, safe="").replace(".", "%2E")


def _json(content: Mapping[str, object]) -> bytes:
    return orjson.dumps(content, option=orjson.OPT_UTC_Z)


def _judged(error: Exception) -> Answer:
    """What the port's exceptions mean; a lost confirm is repeated under the same id."""
    match error:
        case FileNotFoundError() | PermissionError():
            return Answer(Class.HUMAN, "publish", detail=str(error))
        case LookupError():
            return Answer(Class.PERMANENT, "publish", detail=str(error))
        case OSError():
            reached = not isinstance(error, ConnectionError)
            return Answer(Class.TRANSIENT, "publish", detail=str(error), reached=reached)
        case _:
            detail = "The message cannot be built: look at the options of the destination."
            return Answer(Class.PERMANENT, "publish", detail=detail)


def _text(destination: Destination, name: str, usual: str) -> str:
    value = destination.options.get(name, usual)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise ConfigurationError(f"options.{name} of {destination.name} must be text in quotes.")
    return value


def _mode(destination: Destination) -> str:
    mode = _text(destination, "mode", "structured")
    if mode not in MODES:
        raise ConfigurationError(f'options.mode of {destination.name} is "structured" or "binary".')
    return mode


def _exchange(destination: Destination) -> str:
    if "exchange" not in destination.options:
        raise ConfigurationError(
            f"{destination.name} needs the name of an exchange: "
            'add options = { exchange = "orders" }.'
        )
    name = _text(destination, "exchange", "")
    if len(name.encode()) > MAX_KEY or name.startswith("amq.rabbitmq."):
        raise ConfigurationError(f"{destination.name} cannot publish to an exchange of that name.")
    return name


def _routing_key(destination: Destination) -> Template:
    text = _text(destination, "routing_key", USUAL_KEY)
    try:
        template = templates.check(text, WORDS)
    except TemplateError as error:
        raise ConfigurationError(
            f"options.routing_key of {destination.name}: {error.what} {error.remedy}"
        ) from None
    plain = "".join(piece for piece in template if not isinstance(piece, Slot))
    if not plain.isascii() or set(plain) & set("#* ") or len(plain) > MAX_KEY // 2:
        raise ConfigurationError(
            f"options.routing_key of {destination.name} may hold ASCII without #, * and spaces, "
            "and at most 127 characters beside its placeholders."
        )
    return template


def _mask(destination: Destination) -> Mapping[str, str]:
    value = destination.options.get("mask", [])
    found = dict.fromkeys(map(str, value), "drop") if isinstance(value, list) else value
    if not isinstance(found, dict) or set(map(str, found.values())) - {"drop", "hash"}:
        raise ConfigurationError(
            f"options.mask of {destination.name} is a list of attributes to leave out, or a table "
            'as { email = "hash", phone = "drop" }.'
        )
    return {name: str(how) for name, how in found.items()}


KIND = Kind(
    NAME,
    "CloudEvents to an exchange of RabbitMQ (ESB, BI)",
    build,
    setup=SET_UP,
    token=False,
    example={"options": {"exchange": "orders"}, "secret": "env:ESB_AMQP_URL"},
    options=OPTIONS,
    promise="at least once",
    capabilities=CAPABILITIES,
    default_url="",
)
