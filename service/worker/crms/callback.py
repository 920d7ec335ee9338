"""The destination kind `callback`: a change becomes a signed POST by the Standard Webhooks rules.

A lost answer is TRANSIENT, not an unknown outcome: the same key and the same version go out again,
and the contract makes receivers answer a repeated key without a second effect and ignore a lower
version. Standard Webhooks: standard-webhooks/standard-webhooks @b2fa7b8.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson

from service import tracing
from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import client, told
from service.worker.crms.base import Answer, Capabilities, Change, Class, Crm, Write
from service.worker.crms.bearer import Signer
from service.worker.crms.kind import Kind, Tools

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
TO_DO = {
    Class.PERMANENT: ": look at url, at secret and token, and at what the receiver logged, then "
    "redrive",
    Class.GONE: ": give the destination another url, then redrive",
}
MAX_ANSWER = 64 * 1024

SET_UP = """
1. Give the receiver an address that takes a POST with JSON, and write it as url.
2. Make a secret, keep it on both sides, and refer to it as secret:
     echo "whsec_$(openssl rand -base64 32)"
3. Let the receiver verify webhook-id, webhook-timestamp and webhook-signature with any library
   of Standard Webhooks, and answer 2xx once the change is stored (409 when it was there before).
4. Let it ignore a version that is not higher than the one it has: attempts may overtake each other.
5. Where it wants a bearer token as well: token for a fixed one, or one that is signed for each call
   (iss, aud, iat, exp; jti is the Idempotency-Key):
   jwt = { key = "file:/run/secrets/jwt.pem", algorithm = "ES256", audience = "wms" }
"""


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when the destination has no secret that can sign."""
    return Callback(
        name=destination.name,
        url=destination.url,
        key=signing_key(destination.secret.reveal() if destination.secret else b""),
        token=destination.token.reveal().decode("latin-1") if destination.token else None,
        signer=Signer.of(destination.jwt) if destination.jwt else None,
        timeout=destination.timeout,
        statuses=destination.statuses,
        attributes={
            ours: theirs if isinstance(theirs, str) else theirs.field
            for ours, theirs in destination.attributes.items()
        },
        session=tools.session,
        clock=tools.clock,
    )


@dataclass(frozen=True, slots=True)
class Callback:
    """One receiver of signed callbacks."""

    name: str
    url: str
    key: bytes = field(repr=False)
    token: str | None = field(repr=False)
    signer: Signer | None
    timeout: timedelta
    statuses: Mapping[str, str]
    attributes: Mapping[str, str]
    session: aiohttp.ClientSession = field(repr=False)
    clock: client.Clock = field(repr=False)

    capabilities = Capabilities(idempotent=True)

    def limits(self) -> Sequence[Limit]:
        """None but those the configuration adds."""
        return ()

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._told(write.change) for write in writes]

    async def _told(self, change: Change) -> Answer:
        body = self.payload(change)
        call = client.Call(
            "POST", self.url, "callback", body, self._headers(change.key, body), safe=True
        )
        result = await client.exchange(
            self.session, call, within=self.timeout, clock=self.clock, most=MAX_ANSWER
        )
        return _answer(result)

    def payload(self, change: Change) -> bytes:
        attributes = told.renamed(change.attributes, self.attributes)
        return orjson.dumps(
            {
                "type": told.kind(change),
                "timestamp": change.changed_at.astimezone(UTC),
                "data": told.data(change, statuses=self.statuses, attributes=attributes),
            },
            option=orjson.OPT_UTC_Z,
        )

    def _headers(self, idempotency_key: str, body: bytes) -> dict[str, str]:
        key = client.header_safe(idempotency_key)
        token = self.signer.token(key, at=self.clock()) if self.signer else self.token
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
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
        case client.Failure(kind, detail, reached):
            detail = f"The callback failed: {detail}."
            return Answer(kind, "callback", detail=detail, reached=reached)
        case client.Reply(status, after):
            kind = judge(status)
            detail = (
                "" if kind is Class.OK else f"The receiver answered {status}{TO_DO.get(kind, '')}."
            )
            return Answer(kind, "callback", http_status=status, after=after, detail=detail)


KIND = Kind(
    NAME,
    "Signed callback to any system (Standard Webhooks)",
    build,
    setup=SET_UP,
    token=False,
    example={"url": "https://crm.example.com/orderhook", "secret": "env:CRM_CALLBACK_SECRET"},
    capabilities=Callback.capabilities,
)
