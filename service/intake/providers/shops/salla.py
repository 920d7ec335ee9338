"""Salla: webhooks about orders in, statements about orders out.

Facts from several third parties that agree and, for tokens, the official npm
@salla.sa/webhooks-actions 1.0.2 (read 2026-11): the two strategies, hexadecimal HMAC-SHA256 of the
body; the names of events from PyPI salla-python-sdk 0.1.2. UNVERIFIED: the slugs of statuses, the
way `created_at` is written, three tries, any id of a delivery.

The header X-Salla-Security-Strategy only says what was used; the configuration says what must be.
"""

import re
from dataclasses import replace

from service.domain.errors import ConfigurationError
from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Item, Reader
from service.intake.reading.telling import Happening
from service.intake.verification.combined import AnyOf
from service.intake.verification.hmacs import Hmac
from service.intake.verification.shared import HeaderSecret
from service.settings import Source

SETUP = """\
1. In Salla's partner portal open your app's webhooks, choose the security strategy Signature, and
   put the secret behind the reference in `secrets`.
2. Enter this source's URL for the events order.created, order.status.updated, order.cancelled and
   order.refunded.
3. For the strategy Token set options = { strategy = "token" }, and put into `secrets` exactly
   what Salla sends in Authorization, with `Bearer ` before it if it does. It proves nothing of
   the body."""

SIGNED = Hmac("X-Salla-Signature", what="the webhook's secret")
TOKEN = HeaderSecret("Authorization", what="the token as Salla sends it")
STRATEGIES = ("signature", "token")


def chosen(source: Source) -> int:
    """Find the strategy a source wants; what is sent must not choose a weaker one."""
    strategy = source.options.get("strategy", STRATEGIES[0])
    if strategy not in STRATEGIES:
        raise ConfigurationError(
            f"The source {source.name} knows no strategy {strategy}; set options.strategy to "
            f"{' or '.join(STRATEGIES)}."
        )
    return STRATEGIES.index(str(strategy))


SCHEME = AnyOf((SIGNED, TOKEN), when=chosen)

STATUS = Branch(
    "data.status.slug || data.customized.slug",
    {
        "payment_pending": "payment.awaiting_payment",
        "under_review": "order.confirmed",
        "in_progress": "order.confirmed",
        "completed": "order.completed",
        "delivering": "delivery.in_transit",
        "shipped": "fulfillment.shipped",
        "delivered": "delivery.delivered",
        "canceled": "order.cancelled",
        "restored": "delivery.returned_to_sender",
        "restoring": "delivery.returning",
    },
)
KEPT = "ignore: the order keeps its last status"
DETAIL = "ignore: a detail, no status"
SHIPMENT = (
    "ignore: where it names its order is not known, and order.status.updated tells the status"
)

LAYOUT = Layout(
    title="Salla",
    says=(
        Says(
            "event",
            {
                "order.created": "order.new",
                "order.updated": replace(STATUS, absent="facts"),
                "order.status.updated": STATUS,
                "order.cancelled": "order.cancelled",
                "order.refunded": "payment.refunded",
                "order.payment.updated": "ignore: it does not say what became of the payment",
                "order.shipment.creating": SHIPMENT,
                "order.shipment.created": SHIPMENT,
                "order.shipment.cancelled": SHIPMENT,
                "order.shipment.return.creating": "delivery.returning",
                "order.shipment.return.created": "delivery.returning",
                "order.shipment.return.cancelled": SHIPMENT,
                "order.deleted": KEPT,
                **dict.fromkeys(
                    (
                        *("order.products.updated", "order.coupon.updated"),
                        *("order.total.price.updated", "order.shipping.address.updated"),
                    ),
                    DETAIL,
                ),
            },
            ours=("order.",),
        ),
    ),
    ref="data.reference_id",
    key=("body:sha256",),
    when="created_at",
    aliases={"order:salla": "data.id"},
    facts={"salla_order_id": "data.id", "merchant": "merchant"},
    amounts={"amount": Amount("data.amounts.total.amount", "data.amounts.total.currency")},
)

_SPOKEN = re.compile(
    r"[A-Za-z]{3} ([A-Za-z]{3}) (\d\d) (\d{4}) (\d\d:\d\d:\d\d) GMT([+-]\d\d)([0-5]\d)", re.ASCII
)
_SHORT = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)
MONTHS = {name: f"{number:02}" for number, name in enumerate(_SHORT, 1)}


class Events(Reader):
    """Reads webhooks for one configured shop."""

    __slots__ = ()

    def happening(self, item: Item) -> Happening:
        event = super().happening(item)
        event.when = moment(event.when)
        return event


def moment(value: JSON) -> JSON:
    """Write a time as `Wed Oct 13 2021 07:53:00 GMT+0300` as others write it; else as it is."""
    found = _SPOKEN.match(value) if isinstance(value, str) else None
    if found is None:
        return value
    name, day, year, clock, hours, minutes = found.groups()
    month = MONTHS.get(name.title())
    return f"{year}-{month}-{day}T{clock}{hours}:{minutes}" if month else value


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Events.of(LAYOUT, source))


PRESET = Preset(
    name="salla",
    title="Salla",
    category="shop",
    setup=SETUP,
    build=build,
    scheme=f"{SIGNED.summary}; or a token",
    identity="the body",
    proof=Proof("none", "third parties that agree"),
    doubts=(
        "The strategy Signature is PARTIAL (third parties that agree): confirm on a live delivery.",
        (
            "The slugs of statuses are UNVERIFIED: confirm on your orders; unknown ones are dead "
            "letters."
        ),
        "How created_at is written is UNVERIFIED: confirm that events carry a time.",
        (
            "No id of a delivery is known, so the body names an event: confirm that a repeat is "
            "the same byte for byte."
        ),
        (
            "Where events of shipments name their order is UNVERIFIED, so they are left out: "
            "confirm "
            "that order.status.updated comes as well."
        ),
        "data.amounts.total is UNVERIFIED: confirm that the amount is found.",
    ),
    options=("strategy",),
)
