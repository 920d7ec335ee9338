"""Shopify: webhooks about orders, refunds, parcels and disputes in, statements about orders out.

Facts from the official SDK (@shopify/shopify-api 13.1.0: signature, both families of headers) and
shopify.dev (ignoring duplicates, changelog 2024-09-10, fulfillment event statuses of 2026-10; read
2026-11). UNVERIFIED, from general knowledge: the fields of refunds, parcels and disputes, the
words of disputes, that a deleted scan still tells its own id and its order, and whether the lists
of statuses are complete; an unknown word is unmapped.

Only orders/* carry the order number. They claim Shopify's own id of the order and the tracking
numbers, by which scans, refunds and disputes find it. A scan is named by its own id, so that its
deletion takes back that scan and no other.

Only the body is signed. The topic, the id and the time in the headers are not, so a status is
always read from the body; the topic only tells which part of it is news.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from service.domain import keys
from service.domain.events import Alias, Fate, Money, Revocation, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, money, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, unmapped
from service.intake.verification.hmacs import Hmac
from service.settings import Source

NAME = "shopify"
TITLE = "Shopify"
SETUP = """\
1. Subscribe this source's URL to orders/create, orders/updated, orders/paid,
   orders/partially_fulfilled, orders/fulfilled and orders/cancelled, format JSON; as you need them
   to refunds/create, fulfillments/*, fulfillment_events/* and disputes/* too.
2. Put the app's client secret behind the reference in `secrets`; for webhooks made under Settings,
   Notifications, it is the secret shown there. While you rotate it, list the old and the new one.
3. The order number is `order_number` (1001 for #1001). If your shop writes its own prefix, set
   subject.ref = "name".
4. Only orders/* carry the order number; all else waits until one of them has come. Where none
   ever comes, make Shopify's own id of the order its number: subject.ref = "id".
5. Answered 401 for four hours (8 tries), Shopify deletes the subscription: check `orderhook
   sources refused` after the first webhook."""

SECRET = "the app's client secret"  # noqa: S105  # names it, is none
SIGNATURE = "X-Shopify-Hmac-Sha256"
# The deliveries of 2026 carry it, and all else, without `X-`.
BARE = "Shopify-Hmac-Sha256"
SCHEME = Hmac(SIGNATURE, encoding="base64", alias=BARE, what=SECRET, empty=False)
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
SCANNED, DELETED = "fulfillment_events/create", "fulfillment_events/delete"
PARCELS: Mapping[str, str] = {"fulfillments": "id", "fulfillment_events": "fulfillment_id"}
"""Where the parcel's own id stands."""
MAX_SCAN = 200
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
class Orders:
    """Reads webhooks for one configured shop or app."""

    telling: telling.Telling

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            return self._state(telling.document(request, sender=TITLE), request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def _state(self, body: dict[str, JSON], request: RawRequest) -> Sequence[Statement]:
        topic = mapping.name(header(request, "topic"))
        if topic is None:
            raise Unreadable("The header X-Shopify-Topic is missing, or it is no text to use.")
        key = _key(body, request, topic)
        if key is None:
            raise Unreadable("The header X-Shopify-Event-Id is no text to use.")
        happening = _happening(body, request, topic=topic, key=key)
        if topic == DELETED and (scan := _scanned(body)):
            taken = Revocation(self.telling.source, scan)
            happening = replace(happening, facts=None, revokes=taken)
        meanings = [rule(body) for rule in RULES.get(topic, ())] or [_other(topic)]
        return tuple(
            self.telling.state(meaning, replace(happening, key=_part(key, place)), request)
            for place, meaning in enumerate(meanings)
        )


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Orders(telling.Telling.of(source, ORDER_PATH)))


def header(request: RawRequest, name: str) -> str | None:
    """Read a header of the family in which the signature came."""
    classic = request.header(SIGNATURE) is not None
    return request.header(f"x-shopify-{name}" if classic else f"shopify-{name}")


def _key(body: Object, request: RawRequest, topic: str) -> str | None:
    """Name an event; a scan by its own id, which its deletion names too."""
    scan = _scanned(body)
    if scan and topic in (SCANNED, DELETED):
        return scan if topic == SCANNED else f"{scan}:revoked"
    event = header(request, "event-id") or header(request, "webhook-id")
    return mapping.name(f"{event or keys.body_key(request.body)}:{topic}")


def _scanned(body: Object) -> str | None:
    named = mapping.name(body.get("id"))
    return f"{named}:{SCANNED}" if named and len(named.encode()) <= MAX_SCAN else None


def _happening(body: dict[str, JSON], request: RawRequest, *, topic: str, key: str) -> Happening:
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
        parcel=mapping.name(body.get(PARCELS[family])) if family in PARCELS else None,
        aliases=tuple(_names(body, family)),
        money=tuple(_moved(told)) if family == "refunds" else (),
    )


def _names(body: dict[str, JSON], family: str) -> Iterator[Alias]:
    """Find the other names of the order: Shopify's own id, and its tracking numbers."""
    order = mapping.name(body.get("id" if family == "orders" else "order_id"))
    if order:
        yield Alias("order:shopify", order)
    listed = body.get("fulfillments") if family == "orders" else [body]
    if family in ("orders", "fulfillments") and isinstance(listed, list):
        yield from (Alias("tracking", number) for each in listed for number in _tracking(each))


def _tracking(parcel: JSON) -> Iterator[str]:
    if isinstance(parcel, dict):
        several = parcel.get("tracking_numbers")
        listed = several if isinstance(several, list) else []
        found = map(mapping.name, (parcel.get("tracking_number"), *listed))
        yield from filter(None, found)


def _moved(refund: Object) -> Iterator[Money]:
    """Tell what went back; a refund that failed as a whole gives back nothing."""
    named, amount = mapping.name(refund.get("id")), refund.get("refund_amount")
    if named and isinstance(amount, str):
        transactions = refund.get("transactions")
        listed = transactions if isinstance(transactions, list) else []
        codes = {
            money.currency_code(each.get("currency")) for each in listed if isinstance(each, dict)
        }
        yield Money("refunded", amount, codes.pop() if len(codes) == 1 else "", named)


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


def _taken_back(event: Object) -> Meaning:
    if _scanned(event):
        return FACTS
    return unmapped("It takes a scan back, but does not say which.")


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
    SCANNED: (_scan,),
    DELETED: (_taken_back,),
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
    texts = [_amount(each) for each in (listed if isinstance(listed, list) else ())]
    if not texts or not all(_MONEY.fullmatch(text) for text in texts):
        return None
    return format(sum((Decimal(text) for text in texts), Decimal(0)), "f")


def _amount(transaction: JSON) -> str:
    if not isinstance(transaction, dict):
        return ""
    failed = transaction.get("status") in FAILED
    return "0" if failed else str(transaction.get("amount"))


FAILED = ("failure", "error")


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="shop",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="X-Shopify-Event-Id and the topic; of a scan, its own id",
    proof=Proof("sdk", "@shopify/shopify-api 13.1.0 (npm)"),
    doubts=(
        (
            "The fields of refunds, parcels, scans and disputes are UNVERIFIED: confirm each "
            "topic you subscribe to on a live delivery."
        ),
        (
            "That fulfillment_events/delete tells the id of the scan, its order and its parcel is "
            "UNVERIFIED: confirm by deleting a scan."
        ),
        (
            "Whether the lists of statuses are complete is UNVERIFIED: an unknown word is a dead "
            "letter."
        ),
    ),
)
