"""WooCommerce: webhooks about orders in, statements about orders and their payments out.

Facts from WooCommerce's own code (class-wc-webhook.php @00e1bc4, read 2026-11): the signature and
its key, which is decoded as HTML first, the headers, the ping, that nothing is tried again and
that five failures end a webhook. UNVERIFIED: what extensions add, other statuses above all, and
that a total in `refunds` is written with a minus.

Only the body is signed. The topic and the webhook's id in the headers are not, so a status is
always read from the body; the topic only tells whether the order is new.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain import keys
from service.domain.events import Alias, Money, Statement
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import RawRequest, Reply
from service.intake.reading import mapping, money, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import Happening, Meaning, Object
from service.intake.verification.hmacs import Hmac
from service.settings import Source

TITLE = "WooCommerce"
SETUP = """\
1. In WooCommerce under Settings, Advanced, Webhooks, add one for "Order created" and one for "Order
   updated", with this source's URL and one secret; put it behind the reference in `secrets`.
2. The order number is `number`, which is the order's id unless an extension writes its own.
3. WooCommerce tries nothing again, and turns a webhook off after five failures in a row: check
   `orderhook sources refused` after the first one.
4. Translate the statuses of your extensions in `statuses`, as in "awaiting-shipment" =
   "fulfillment.picking"; until then each is a dead letter."""

HEADER = "X-WC-Webhook-Signature"
TOPIC = "x-wc-webhook-topic"
WEBHOOK = "x-wc-webhook-id"
ORDER_PATH = "number || id"

_ENTITY = re.compile(
    rb"&(?:(?P<amp>amp|#0*38|#[xX]0*26)|(?P<quot>quot|#0*34|#[xX]0*22)|(?P<apos>#0*39|#[xX]0*27)"
    rb"|(?P<lt>lt|#0*60)|(?P<gt>gt|#0*62));"
)
_CHARACTERS = {"amp": b"&", "quot": b'"', "apos": b"'", "lt": b"<", "gt": b">"}
_PING = re.compile(rb"webhook_id=\d{1,20}", re.ASCII)


def unescaped(secret: bytes) -> bytes:
    """Decode what WordPress escaped, once, as WooCommerce does before it signs."""
    return _ENTITY.sub(lambda found: _CHARACTERS[found.lastgroup or "amp"], secret)


SCHEME = Hmac(HEADER, encoding="base64", derive=unescaped, what="the webhook's secret")

STATUSES: Mapping[str, tuple[str, ...]] = {
    "pending": ("payment.awaiting_payment",),
    "on-hold": ("payment.awaiting_payment",),
    "failed": ("payment.failed",),
    "processing": ("payment.paid", "order.confirmed"),
    "ready-for-pickup": ("fulfillment.packed",),
    "completed": ("order.completed", "payment.paid"),
    "cancelled": ("order.cancelled",),
    "refunded": ("payment.refunded",),
}
UNPLACED = frozenset({"trash", "new", "auto-draft", "draft", "checkout-draft"})
PAID = "payment.paid"
CREATED, UPDATED = "order.created", "order.updated"
IGNORED: Mapping[str, str] = {
    "order.deleted": "the order keeps its last status",
    "order.restored": "order.updated carries the status",
}

FACTS = telling.paths(
    {"order_key": "order_key", "woocommerce_order_id": "id", "shop_status": "status"}
)


@dataclass(frozen=True, slots=True)
class Said:
    """One meaning, and when it came about."""

    meaning: Meaning
    when: JSON


@dataclass(frozen=True, slots=True)
class Orders:
    """Reads webhooks for one configured shop."""

    telling: telling.Telling

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            body = telling.document(request, sender=TITLE)
            topic = _topic(request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        event = _happening(body, request, topic)
        key, said = event.key, meanings(topic, body)
        statements: list[Statement] = []
        for place, each in enumerate(said):
            if place:
                # Money is told once, however many things one webhook says.
                event.key, event.money, event.first = f"{key}:{place}", (), False
            event.when = each.when
            statements.append(self.telling.state(each.meaning, event, request))
        return statements


def build(source: Source) -> Declared:
    rules = telling.Telling.of(source, ORDER_PATH)
    return Declared(SCHEME.guard(source), Orders(rules), Manners(greet=ping))


def ping(request: RawRequest) -> Reply | None:
    """Answer the test of a new webhook, which must be exactly 200; it is not signed."""
    asked = request.method == "POST" and request.header(HEADER) is None
    return replies.text("") if asked and _PING.fullmatch(request.body) else None


def _topic(request: RawRequest) -> str:
    topic = mapping.name(request.header(TOPIC))
    if topic is None:
        raise Unreadable("The header X-WC-Webhook-Topic is missing, or it is no text to use.")
    return topic


def _happening(body: dict[str, JSON], request: RawRequest, topic: str) -> Happening:
    """Name an event by webhook, topic and content; the delivery's own id is not unique."""
    webhook = mapping.name(request.header(WEBHOOK)) or ""
    digest = keys.body_key(request.body)
    whole = f"{webhook}:{topic}:{digest}"
    code = mapping.name(body.get("status")) if topic in (CREATED, UPDATED) else topic
    number = mapping.name(body.get("id"))
    currency = money.currency_code(body.get("currency"))
    total = money.amount(body.get("total"), currency, "major")
    amounts = {"amount": total, "currency": currency or None}
    return Happening(
        key=mapping.name(whole) or digest,
        code=code or topic,
        subject=body,
        facts=FACTS,
        told=body,
        more={label: value for label, value in amounts.items() if value},
        aliases=(Alias("order:woocommerce", number),) if number else (),
        money=_refunds(body, currency),
    )


def meanings(topic: str, body: Object) -> Sequence[Said]:
    """Tell what a webhook means, one meaning for each lane; the status always comes first."""
    if why := IGNORED.get(topic):
        return [Said(telling.ignored(f"{topic}: {why}."), None)]
    if topic not in (CREATED, UPDATED):
        return [_other(topic)]
    changed = utc(body.get("date_modified_gmt"))
    said = [Said(each, _time(each, body, changed)) for each in _status(body)]
    if topic == CREATED and mapping.name(body.get("status")) not in UNPLACED:
        said.append(Said(Meaning("order.new"), utc(body.get("date_created_gmt")) or changed))
    return said


def _other(topic: str) -> Said:
    if topic.startswith("order."):
        return Said(telling.unmapped(f"{shown(topic)} is a new topic about orders."), None)
    return Said(telling.ignored(f"{shown(topic)} is not about an order."), None)


def _status(body: Object) -> Sequence[Meaning]:
    word = mapping.name(body.get("status"))
    if word in UNPLACED:
        return [telling.ignored(f"{word}: nobody has placed this order.")]
    if word is None or word not in STATUSES:
        return [telling.unknown(word, "status of WooCommerce")]
    partly = bool(body.get("refunds"))
    return [
        Meaning("payment.partially_refunded" if partly and target == PAID else target)
        for target in STATUSES[word]
    ]


def _time(meaning: Meaning, body: Object, changed: JSON) -> JSON:
    """Date a payment by itself: each later change of the order tells of it again."""
    return (utc(body.get("date_paid_gmt")) or changed) if meaning.target == PAID else changed


def utc(value: JSON) -> JSON:
    """Name the zone of a time that carries none."""
    if not isinstance(value, str) or not value:
        return None
    return value if value.endswith("Z") or "+" in value else f"{value}Z"


def _refunds(body: Object, currency: str) -> tuple[Money, ...]:
    listed = body.get("refunds")
    found = (_refund(each, currency) for each in (listed if isinstance(listed, list) else ()))
    return tuple(each for each in found if each is not None)[:MAX_REFUNDS]


MAX_REFUNDS = 64


def _refund(said: JSON, currency: str) -> Money | None:
    if not isinstance(said, dict):
        return None
    total = said.get("total")
    text = total.strip().removeprefix("-") if isinstance(total, str) else total
    amount, named = money.amount(text, currency, "major"), mapping.name(said.get("id"))
    return Money("refunded", amount, currency, named) if amount and named else None


PRESET = Preset(
    name="woocommerce",
    title=TITLE,
    category="shop",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the webhook's id, the topic and the body",
    proof=Proof("foreign", "@hookflo/tern 4.1.0 (npm)"),
    doubts=(
        (
            "That the totals of `refunds` are written with a minus is UNVERIFIED; both are read: "
            "confirm on a partial refund."
        ),
        "Extensions bring statuses of their own: confirm yours, and name them in statuses.",
    ),
)
