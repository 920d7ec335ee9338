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
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from service.domain import keys
from service.domain.events import Alias, Money, Revocation, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.providers.shops.shopify.meanings import (
    DELETED,
    RULES,
    SCANNED,
    other,
    scanned,
)
from service.intake.reading import mapping, money, telling
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.telling import Happening, Object
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

PARCELS: Mapping[str, str] = {"fulfillments": "id", "fulfillment_events": "fulfillment_id"}
"""Where the parcel's own id stands."""
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
        if topic == DELETED and (scan := scanned(body)):
            taken = Revocation(self.telling.source, scan)
            happening = replace(happening, facts=None, revokes=taken)
        meanings = [rule(body) for rule in RULES.get(topic, ())] or [other(topic)]
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
    scan = scanned(body)
    if scan and topic in (SCANNED, DELETED):
        return scan if topic == SCANNED else f"{scan}:revoked"
    event = header(request, "event-id") or header(request, "webhook-id")
    return mapping.name(f"{event or keys.body_key(request.body)}:{topic}")


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
            "The topic stands in a header that is not signed: whoever has one signed scan may post "
            "it again as its own deletion. Keep recorded requests from others."
        ),
        (
            "The fields of refunds, parcels, scans and disputes are UNVERIFIED: confirm each "
            "topic you subscribe to on a live delivery."
        ),
        (
            "That fulfillment_events/delete tells the id of the scan, its order and its parcel is "
            "UNVERIFIED: confirm by deleting a scan."
        ),
        (
            "Where no X-Shopify-Event-Id comes, X-Shopify-Webhook-Id names the event; that it "
            "stays the same on retries is by third parties: confirm on one."
        ),
        (
            "Whether the lists of statuses are complete is UNVERIFIED: an unknown word is a dead "
            "letter."
        ),
    ),
)
