"""The destination kind `callback`: a change becomes a signed POST by the Standard Webhooks rules.

A lost answer is TRANSIENT, not an unknown outcome: the same key and the same version go out again,
and the contract makes receivers answer a repeated key without a second effect and ignore a lower
version. Standard Webhooks: standard-webhooks/standard-webhooks @b2fa7b8.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from service import tracing
from service.domain.errors import ConfigurationError
from service.domain.events import AttributeValue
from service.settings import Destination
from service.worker.crms import client
from service.worker.crms.base import Answer, Change, Class, Crm

NAME = "callback"
SECRET_PREFIX = b"whsec_"
JUDGED = {
    404: Class.NOT_FOUND,
    408: Class.TRANSIENT,
    409: Class.OK,
    410: Class.GONE,
    425: Class.TRANSIENT,
    429: Class.RATE,
}


def build(destination: Destination, session: aiohttp.ClientSession, *, clock: client.Clock) -> Crm:
    """Raises ConfigurationError when the destination has no secret that can sign."""
    return Callback(
        name=destination.name,
        url=destination.url,
        key=signing_key(destination.secret.reveal() if destination.secret else b""),
        token=destination.token.reveal().decode("latin-1") if destination.token else None,
        timeout=destination.timeout,
        statuses=destination.statuses,
        attributes=destination.attributes,
        session=session,
        clock=clock,
    )


@dataclass(frozen=True, slots=True)
class Callback:
    """One receiver of signed callbacks."""

    name: str
    url: str
    key: bytes = field(repr=False)
    token: str | None = field(repr=False)
    timeout: timedelta
    statuses: Mapping[str, str]
    attributes: Mapping[str, str]
    session: aiohttp.ClientSession = field(repr=False)
    clock: client.Clock = field(repr=False)

    async def write(self, change: Change) -> Answer:
        body = self.payload(change)
        outgoing = client.Outgoing(self.url, body, self._headers(change.key, body))
        result = await client.post(self.session, outgoing, within=self.timeout, clock=self.clock)
        return _answer(result)

    def payload(self, change: Change) -> bytes:
        previous = change.previous
        return orjson.dumps(
            {
                "type": f"{change.subject.lifecycle}.status_changed",
                "timestamp": change.changed_at.astimezone(UTC),
                "data": {
                    "subject": str(change.subject),
                    "status": self.statuses.get(change.status, change.status),
                    "previous": previous and self.statuses.get(previous, previous),
                    "lanes": dict(sorted(change.lanes.items())),
                    "version": change.version,
                    "event_ids": [str(event_id) for event_id in change.event_ids],
                    "occurred_at": change.occurred_at and change.occurred_at.astimezone(UTC),
                    "attributes": self._renamed(change.attributes),
                },
            },
            option=orjson.OPT_UTC_Z,
        )

    async def close(self) -> None:
        """Nothing to close: the session is shared and belongs to who opened it."""

    def _renamed(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        names = self.attributes or {name: name for name in attributes}
        return {names[name]: attributes[name] for name in sorted(attributes) if name in names}

    def _headers(self, idempotency_key: str, body: bytes) -> dict[str, str]:
        key = client.header_safe(idempotency_key)
        bearer = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        return {
            "Content-Type": "application/json",
            "User-Agent": "Orderhook",
            "Idempotency-Key": key,
            **signed(key, body, key=self.key, at=self.clock()),
            **bearer,
            **tracing.headers(),
        }


def signing_key(secret: bytes) -> bytes:
    """The bytes behind `whsec_<base64>`."""
    encoded = secret.strip().removeprefix(SECRET_PREFIX)
    try:
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        key = b""
    if not key or encoded == secret.strip():
        raise ConfigurationError(
            "A callback needs a secret of the form whsec_<base64 of 24 to 64 random bytes>."
        )
    return key


def signed(idempotency_key: str, body: bytes, *, key: bytes, at: datetime) -> dict[str, str]:
    """The Standard Webhooks headers of one attempt; a dot in the id would blur its boundary."""
    webhook_id = idempotency_key.replace(".", "%2E")
    timestamp = str(int(at.timestamp()))
    mac = hmac.digest(
        key, b".".join((webhook_id.encode(), timestamp.encode(), body)), hashlib.sha256
    )
    return {
        "webhook-id": webhook_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode()}",
    }


def judge(status: int) -> Class:
    """What the contract says must happen next for a status."""
    if status in JUDGED:
        return JUDGED[status]
    if 200 <= status < 300:
        return Class.OK
    return Class.TRANSIENT if status >= 500 else Class.PERMANENT


def _answer(result: client.Reply | client.Failure) -> Answer:
    match result:
        case client.Failure(kind, detail):
            return Answer(kind, "callback", detail=f"The callback failed: {detail}.")
        case client.Reply(status, after):
            kind = judge(status)
            detail = "" if kind is Class.OK else f"The receiver answered {status}."
            return Answer(kind, "callback", http_status=status, after=after, detail=detail)
