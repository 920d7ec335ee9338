"""eBay: push notifications of the Notification API in, order and payment statements out.

Facts from the official SDK (npm event-notification-nodejs-sdk 1.0.3, read 2026-11): the signature's
header, ECDSA with SHA-1, the public key by its id, the answers 204 and 412, the challenge, the
envelope and two topics without orders. UNVERIFIED: the topics about orders and all their fields,
the words of orderPaymentStatus, the list of answers eBay accepts, its retries.

The SDK verifies the body as JavaScript writes it anew; we take the bytes as they came, or the same
document written compactly.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import orjson

from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Forged, RawRequest, Reply
from service.intake.reading import mapping
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.reader import Reader
from service.intake.verification import material, publickeys, templates
from service.intake.verification.material import Key, NoKey
from service.intake.verification.publickeys import PublicKey
from service.settings import Source

SETUP = """\
1. Make up a verification token (32 to 80 letters, digits, - and _) and set options = {
   verification_token = "…" }. eBay tests the address with it; it proves nothing about messages.
2. Set public_url of [server], or options.url to this source's full URL: it is part of the test.
3. In eBay's developer portal under Alerts and Notifications (or by the Notification API), enter
   this source's URL and the token, then subscribe to the topics about orders.
4. Ask getPublicKey for the key of the id your first notification was signed with and put its `key`
   behind the reference in `secrets`. Or leave `secrets` empty and put an application token behind
   `token`: keys are then fetched, but such a token lives for two hours only.
5. In eBay's sandbox set options.sandbox = true."""

HEADER = "x-ebay-signature"
PRODUCTION = "https://api.ebay.com"
SANDBOX = "https://api.sandbox.ebay.com"
KEYS = "/commerce/notification/v1/public_key/"
_KEY_ID = re.compile(r"[0-9A-Za-z-]{1,64}", re.ASCII)


def opened(header: str) -> Mapping[str, str]:
    """Open the header; whatever else it may say, the algorithm is fixed here."""
    pairs = publickeys.json64(header)
    if (pairs.get("alg", "").lower(), pairs.get("digest", "").lower()) != ("ecdsa", "sha1"):
        raise Unreadable("The signature is not ECDSA with SHA-1, which is agreed.")
    return pairs


def readings(request: RawRequest) -> Sequence[bytes]:
    """Take the body as it came, and as JavaScript would write it."""
    try:
        compact = orjson.dumps(mapping.read(request.body))
    except (Unreadable, orjson.JSONEncodeError):
        return [request.body]
    return list(dict.fromkeys((request.body, compact)))


def address(request: RawRequest, source: Source) -> str | Forged:
    """Find the public key a request was signed with."""
    kid = opened(request.header(HEADER) or "").get("kid", "")
    if _KEY_ID.fullmatch(kid) is None:
        return Forged("The key id is not one of eBay's.")
    base = SANDBOX if source.options.get("sandbox") is True else PRODUCTION
    return f"{base}{KEYS}{kid}"


def document(answer: bytes) -> Sequence[Key]:
    """Take the key out of eBay's answer."""
    try:
        found = mapping.read(answer)
    except Unreadable as why:
        raise NoKey(str(why)) from None
    key = found.get("key") if isinstance(found, dict) else None
    if not isinstance(key, str):
        raise NoKey("It holds no key.")
    return material.read(key.encode("utf-8", "replace"))


SCHEME = PublicKey(
    HEADER,
    algorithm="ecdsa-sha1",
    envelope=opened,
    key_id="pair:kid",
    canonical=readings,
    fetched=address,
    document=document,
    authorized=True,
    what="eBay's public key",
    body=False,
)

PAYMENTS = {
    "PENDING": "payment.awaiting_payment",
    "PAID": "payment.paid",
    "PARTIALLY_REFUNDED": "payment.partially_refunded",
    "FULLY_REFUNDED": "payment.refunded",
    "FAILED": "payment.failed",
}

LAYOUT = Layout(
    title="eBay",
    says=(
        Says(
            "metadata.topic",
            {
                "ORDER_CONFIRMATION": Branch(
                    "notification.data.order.orderPaymentStatus", PAYMENTS, absent="order.new"
                ),
                "ITEM_MARKED_SHIPPED": "fulfillment.shipped",
                "MARKETPLACE_ACCOUNT_DELETION": "ignore: a member left, which changes no order",
                "PRIORITY_LISTING_REVISION": "ignore: it is about a listing",
            },
            ours=("ORDER_", "ITEM_MARKED_"),
        ),
    ),
    ref="notification.data.order.orderId || notification.data.orderId",
    key=("notification.notificationId",),
    when="notification.eventDate",
    zone="UTC",
    facts={"schema_version": "metadata.schemaVersion"},
)


@dataclass(frozen=True, slots=True)
class Notifications(Declared):
    """A configured subscription, which eBay tests before it uses it."""

    token: str = field(default="", repr=False)
    endpoint: str = ""
    """The address as eBay knows it; empty: as configured for all."""

    def handshake(self, request: RawRequest) -> Reply | None:
        code = request.parameter("challenge_code")
        endpoint = self.endpoint or request.url.partition("?")[0]
        if request.method != "GET" or code is None or not (self.token and endpoint):
            return None
        if not replies.is_harmless(code):
            return None
        digest = hashlib.sha256(f"{code}{self.token}{endpoint}".encode("utf-8", "replace"))
        return replies.document({"challengeResponse": digest.hexdigest()})


MANNERS = Manners(refusal=412, answer=Reply(204, b""))


def build(source: Source) -> Notifications:
    token = source.options.get("verification_token")
    return Notifications(
        SCHEME.guard(source),
        Reader.of(LAYOUT, source),
        MANNERS,
        token=token if isinstance(token, str) else "",
        endpoint=templates.address(source),
    )


PRESET = Preset(
    name="ebay",
    title="eBay",
    category="shop",
    setup=SETUP,
    build=build,
    scheme=f"{publickeys.NAMES[SCHEME.algorithm]} of the body",
    identity="notificationId",
    proof=Proof("sdk", "event-notification-nodejs-sdk 1.0.3 (npm)"),
    doubts=(
        (
            "The topics ORDER_CONFIRMATION and ITEM_MARKED_SHIPPED and where they carry orderId "
            "are UNVERIFIED: confirm on a live delivery, or set subject.ref and statuses."
        ),
        "The words of orderPaymentStatus are UNVERIFIED: an unknown one is a dead letter.",
        (
            "ITEM_MARKED_SHIPPED is about one item and UNVERIFIED to mean the whole order: "
            "confirm on an order of two items."
        ),
        "Which answers eBay accepts besides 204 is UNVERIFIED: confirm that 503 makes it retry.",
    ),
    keyless=True,
    options=("verification_token", "url", "sandbox"),
)
