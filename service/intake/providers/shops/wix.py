"""Wix: webhooks of eCommerce orders in, statements about orders out.

Facts from the official SDK (npm @wix/sdk 1.21.16) and dev.wix.com (read 2026-11): the whole body is
a JWT of the app (RS256), JSON in JSON in JSON, the event's id, 200 within 1250 ms, repeats for 48
hours with the data of the first time. The names of events and statuses are those of the typings of
@wix/ecom. UNVERIFIED: the number of tries, and where created and updated events hold the order.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.tokens import Token

SETUP = """\
1. In Wix's developer centre make an app with the permission to read orders, and install it on the
   site.
2. Add webhooks with this source's URL for the events of eCommerce orders: created, approved,
   canceled, fulfilled, payment status updated.
3. Copy the app's public key from its webhooks page and put it behind the reference in `secrets` as
   PEM (decode it first if Wix shows base64).
4. Several sites of one app are told apart by subject.scope = "data.instanceId"."""

SCHEME = Token(
    "body",
    unfold=("data", "data.identity", "data.data"),
    what="the app's public key",
)

EVENT = "wix.ecom.v1.order"
PLACES = ("actionEvent.body.order", "createdEvent.entity", "updatedEvent.currentEntity")
ELSEWHERE = "ignore: other events tell what becomes of it"


def order(name: str) -> str:
    """Find a field of the order, wherever the kind of event holds it."""
    return " || ".join(f"data.data.{place}.{name}" for place in PLACES)


PAYMENT = Branch(
    order("paymentStatus"),
    {
        **dict.fromkeys(
            ("NOT_PAID", "PENDING", "PENDING_MERCHANT", "PARTIALLY_PAID"),
            "payment.awaiting_payment",
        ),
        "PAID": "payment.paid",
        "PARTIALLY_REFUNDED": "payment.partially_refunded",
        "FULLY_REFUNDED": "payment.refunded",
        "CANCELED": "payment.cancelled",
        "DECLINED": "payment.failed",
        "UNSPECIFIED": "facts",
    },
)
FULFILLED = Branch(
    order("fulfillmentStatus"),
    {
        "PARTIALLY_FULFILLED": "fulfillment.partially_shipped",
        "FULFILLED": "fulfillment.shipped",
        "NOT_FULFILLED": "facts",
    },
    absent="fulfillment.shipped",
)
UPDATED = Branch(
    order("status"),
    {
        "INITIALIZED": "order.new",
        "PENDING": "payment.awaiting_payment",
        "APPROVED": "order.confirmed",
        "CANCELED": "order.cancelled",
        "REJECTED": "order.cancelled",
    },
    absent="facts",
)

LAYOUT = Layout(
    title="Wix",
    says=(
        Says(
            "data.eventType",
            {
                f"{EVENT}_created": "order.new",
                f"{EVENT}_approved": "order.confirmed",
                f"{EVENT}_updated": UPDATED,
                f"{EVENT}_canceled": "order.cancelled",
                f"{EVENT}_payment_status_updated": PAYMENT,
                f"{EVENT}_fulfilled": FULFILLED,
                f"{EVENT}_committed": ELSEWHERE,
                f"{EVENT}_imported": ELSEWHERE,
                f"{EVENT}_imported_order_deleted": "ignore: the order keeps its last status",
            },
            ours=(f"{EVENT}_",),
        ),
    ),
    ref=order("number"),
    key=("data.data.id",),
    when="data.data.eventTime",
    aliases={"order:wix": "data.data.entityId"},
    facts={"wix_order_id": "data.data.entityId", "site": "data.instanceId"},
)

PRESET = Preset(
    name="wix",
    title="Wix",
    category="shop",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("OK"))),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof("sdk", "@wix/sdk 1.21.16 (npm)"),
    doubts=(
        (
            "Where created and updated events hold the order is UNVERIFIED; an event without its "
            "number waits for one that has it: confirm on a new order."
        ),
        (
            "The number of tries is UNVERIFIED: after an outage of more than 48 hours compare "
            "with the orders in Wix, and confirm that none is missing."
        ),
    ),
)
