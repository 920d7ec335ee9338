"""Shopify: webhooks about orders, refunds, parcels and disputes in, statements about orders out.

Facts from the official SDK (@shopify/shopify-api 13.1.0: signature, both families of headers) and
shopify.dev (ignoring duplicates, changelog 2024-09-10, fulfillment event statuses of 2026-10; read
2026-11). UNVERIFIED, from general knowledge: the fields of refunds, parcels and disputes, the
words of disputes, and whether the lists of statuses are complete; an unknown word is unmapped.

Only the body is signed. The topic, the id and the time in the headers are not, so a status is
always read from the body; the topic only tells which part of it is news.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from service.domain import keys
from service.domain.events import Fate, Statement
from service.intake.preset import Preset, Proof
from service.intake.provider import NO_KEYS, Forged, Genuine, Keys, Provider, RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, unmapped
from service.intake.verification import keyring, signing
from service.settings import Source

NAME = "shopify"
TITLE = "Shopify"
SETUP = """\
1. Subscribe this source's URL to orders/create, orders/updated, orders/paid,
   orders/partially_fulfilled, orders/fulfilled and orders/cancelled, format JSON.
2. Put the app's client secret behind the reference in `secrets`; for webhooks made under Settings,
   Notifications, it is the secret shown there. While you rotate it, list the old and the new one.
3. The order number is `order_number` (1001 for #1001). If your shop writes its own prefix, set
   subject.ref = "name".
4. Only orders/* carry the order number. To use fulfillment_events/create and disputes/* as well,
   make Shopify's own id of the order its number: subject.ref = "id".
5. Answered 401 for four hours (8 tries), Shopify deletes the subscription: check `orderhook
   sources refused` after the first webhook."""

SECRET = "the app's client secret"  # noqa: S105  # names it, is none
SIGNATURE = "X-Shopify-Hmac-Sha256"
ORDER_PATH = "order_number"

FINANCIAL: Mapping[str, str] = {
    "pending": "payment.awaiting_payment",
    "authorized": "payment.authorized",
    "partially_paid": "payment.awaiting_payment",
    "paid": "payment.paid",
    "partially_refunded": "payment.partially_refunded",
    "refunded": "payment.refunded",
    "voided": "payment.cancelled",
    "expired": "payment.cancelled",
}
LASTING = frozenset({"partially_refunded", "refunded", "voided", "expired"})
"""What orders/updated may repeat at any later time without taking a chargeback back."""
FULFILLMENT: Mapping[str, str] = {
    "partial": "fulfillment.partially_shipped",
    "fulfilled": "fulfillment.shipped",
    "restocked": "fulfillment.cancelled",
}
SCANS: Mapping[str, str] = {
    "label_purchased": "delivery.label_created",
    "label_printed": "delivery.label_created",
    "confirmed": "delivery.label_created",
    "carrier_picked_up": "delivery.picked_up",
    "in_transit": "delivery.in_transit",
    "delayed": "",
    "ready_for_pickup": "delivery.ready_for_pickup",
    "out_for_delivery": "delivery.out_for_delivery",
    "attempted_delivery": "delivery.delivery_failed",
    "failure": "delivery.delivery_failed",
    "delivered": "delivery.delivered",
    "picked_up": "delivery.delivered",
}
DISPUTES: Mapping[str, str] = {
    "needs_response": "payment.chargeback",
    "under_review": "payment.chargeback",
    "accepted": "payment.chargeback",
    "lost": "payment.chargeback",
    "won": "payment.paid",
    "charge_refunded": "",
}

IGNORED: Mapping[str, str] = {
    "orders/edited": "orders/updated carries the order as it is now",
    "orders/delete": "the order keeps its last status",
    "order_transactions/create": "orders/paid and orders/updated carry what it changed",
    "orders/risk_assessment_changed": "it is no status of the order",
    "orders/link_requested": "it is no status of the order",
    "orders/shopify_protect_eligibility_changed": "it is no status of the order",
}
OURS = ("orders/", "refunds/", "fulfillments/", "fulfillment_events/", "disputes/")

_MONEY = re.compile(r"\d{1,15}(\.\d{1,6})?", re.ASCII)

TIMES: Mapping[str, str] = {
    "orders/create": "created_at",
    "orders/cancelled": "cancelled_at",
    "refunds/create": "processed_at",
    "fulfillment_events/create": "happened_at",
}
"""Otherwise `updated_at`, and where that is missing the time in the headers."""

FACTS_OF = {
    family: telling.paths(places)
    for family, places in {
        "orders": {
            "amount": "total_price",
            "currency": "currency",
            "order_name": "name",
            "shopify_order_id": "id",
            "tracking_number": "fulfillments[-1].tracking_number",
            "tracking_url": "fulfillments[-1].tracking_url",
        },
        "refunds": {
            "refund_id": "id",
            "refund_amount": "refund_amount",
            "refund_currency": "transactions[0].currency",
        },
        "fulfillments": {
            "carrier": "tracking_company",
            "tracking_number": "tracking_number",
            "tracking_url": "tracking_url",
        },
        "fulfillment_events": {"place": "city", "delivery_status": "status"},
        "disputes": {
            "dispute_id": "id",
            "dispute_amount": "amount",
            "dispute_currency": "currency",
            "dispute_reason": "reason",
            "dispute_status": "status",
        },
    }.items()
}


@dataclass(frozen=True, slots=True)
class Shopify(Provider):
    """One configured shop or app."""

    scheme: signing.Scheme
    telling: telling.Telling

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,  # noqa: ARG002
    ) -> Genuine | Forged:
        return signing.judge(self.scheme, claim(request), request, now=now)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        try:
            return self._state(telling.document(request, sender=TITLE), request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def _state(self, body: dict[str, JSON], request: RawRequest) -> Sequence[Statement]:
        topic = mapping.name(header(request, "topic"))
        if topic is None:
            raise Unreadable("The header X-Shopify-Topic is missing, or it is no text to use.")
        event = header(request, "event-id") or header(request, "webhook-id")
        key = mapping.name(f"{event or keys.body_key(request.body)}:{topic}")
        if key is None:
            raise Unreadable("The header X-Shopify-Event-Id is no text to use.")
        happening = _happening(body, request, topic=topic, key=key)
        meanings = [rule(body) for rule in RULES.get(topic, ())] or [_other(topic)]
        return tuple(
            self.telling.state(meaning, replace(happening, key=_part(key, place)), request)
            for place, meaning in enumerate(meanings)
        )


def build(source: Source) -> Shopify:
    secrets = keyring.plain(source, SECRET)
    scheme = signing.Scheme(secrets, source.tolerance, encoding="base64")
    return Shopify(scheme, telling.Telling.of(source, ORDER_PATH))


def claim(request: RawRequest) -> signing.Claim | Forged:
    """Read the one signature; the deliveries of 2026 carry it, and all else, without `X-`."""
    names = {name for name, _ in request.headers}
    bare = SIGNATURE.lower().removeprefix("x-")
    if {bare, SIGNATURE.lower()} <= names:
        return Forged(f"The headers {SIGNATURE} and {bare} were both sent; only one is safe.")
    found = signing.single(request, bare if bare in names else SIGNATURE)
    if isinstance(found, Forged):
        return found
    if not request.body:
        return Forged("The body is empty, and Shopify signs none that is.")
    return signing.Claim(request.body, [signing.plain(found, "base64")])


def header(request: RawRequest, name: str) -> str | None:
    """Read a header of the family in which the signature came."""
    classic = request.header(SIGNATURE) is not None
    return request.header(f"x-shopify-{name}" if classic else f"shopify-{name}")


def _happening(body: Object, request: RawRequest, *, topic: str, key: str) -> Happening:
    family = topic.partition("/")[0]
    order = body if family == "orders" else {"id": body.get("order_id")}
    told = {**body, "refund_amount": _refunded(body)} if family == "refunds" else dict(body)
    return Happening(
        key=key,
        code=topic,
        subject={**order, "shop_domain": header(request, "shop-domain")},
        when=body.get(TIMES.get(topic, "updated_at")) or header(request, "triggered-at"),
        facts=FACTS_OF.get(family),
        told=told,
    )


def _part(key: str, place: int) -> str:
    return f"{key}:{place}" if place else key


def _created(_: Object) -> Meaning:
    return Meaning("order.new")


def _payment(order: Object) -> Meaning:
    return _read(FINANCIAL, order, "financial_status")


def _lasting(order: Object) -> Meaning:
    """Read a snapshot that may come long after what it shows."""
    meaning = _payment(order)
    if meaning.fate is Fate.FOLD and order.get("financial_status") not in LASTING:
        return FACTS
    return meaning


def _fulfillment(order: Object) -> Meaning:
    return _read(FULFILLMENT, order, "fulfillment_status")


def _cancelled(order: Object) -> Meaning:
    if order.get("cancelled_at"):
        return Meaning("order.cancelled")
    return unmapped("orders/cancelled came without cancelled_at.")


def _facts(_: Object) -> Meaning:
    return FACTS


def _scan(event: Object) -> Meaning:
    return _read(SCANS, event, "status")


def _dispute(dispute: Object) -> Meaning:
    # An inquiry: the bank asks, no money has moved.
    return FACTS if dispute.get("type") == "inquiry" else _read(DISPUTES, dispute, "status")


def _taken_back(_: Object) -> Meaning:
    return unmapped(
        "It takes an earlier status of the parcel back, which this version cannot; "
        "look at the order in Shopify and correct it by hand."
    )


RULES: Mapping[str, tuple[Callable[[Object], Meaning], ...]] = {
    "orders/create": (_created, _payment),
    "orders/paid": (_payment,),
    "orders/updated": (_lasting,),
    "orders/partially_fulfilled": (_fulfillment,),
    "orders/fulfilled": (_fulfillment,),
    "orders/cancelled": (_cancelled,),
    "refunds/create": (_facts,),
    "fulfillments/create": (_facts,),
    "fulfillments/update": (_facts,),
    "fulfillment_events/create": (_scan,),
    "fulfillment_events/delete": (_taken_back,),
    "disputes/create": (_dispute,),
    "disputes/update": (_dispute,),
}


def _read(table: Mapping[str, str], thing: Object, key: str) -> Meaning:
    """Translate a word; null says that nothing has happened yet."""
    if thing.get(key) is None:
        return FACTS
    word = mapping.name(thing.get(key))
    if word is None or word not in table:
        return telling.unknown(word, key)
    return Meaning(table[word])


def _other(topic: str) -> Meaning:
    if why := IGNORED.get(topic):
        return telling.ignored(f"{topic}: {why}.")
    if topic.startswith(OURS):
        return unmapped(f"{shown(topic)} is a new topic of a family that tells about orders.")
    return telling.ignored(f"{shown(topic)} is not about an order.")


def _refunded(refund: Object) -> str | None:
    """Add up what went back, exactly; None where an amount cannot be read for sure."""
    listed = refund.get("transactions")
    texts = [
        str(each.get("amount")) if isinstance(each, dict) else ""
        for each in (listed if isinstance(listed, list) else ())
    ]
    if not texts or not all(_MONEY.fullmatch(text) for text in texts):
        return None
    return format(sum((Decimal(text) for text in texts), Decimal(0)), "f")


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="shop",
    setup=SETUP,
    build=build,
    scheme="HMAC-SHA256 of the body, base64",
    identity="X-Shopify-Event-Id and the topic",
    proof=Proof("sdk", "@shopify/shopify-api 13.1.0 (npm)"),
)
