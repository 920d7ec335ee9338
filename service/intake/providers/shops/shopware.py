"""Shopware 6: webhooks of its app system in, statements about orders out.

Facts from the official SDK (npm @shopware-ag/app-server-sdk 2.0.3) and the documentation
(shopware/docs @23afd5c; read 2026-11): signature, `source.eventId` as identity since 6.4.11, the
names of events and states, the retries. UNVERIFIED: whether the new transport (X-Shopware-Event-Id)
still writes `source.eventId`, and whether a refunded capture also moves its transaction.

The time in the body is that of sending; Shopware tells no other.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Add webhooks to the manifest of your Shopware app, with this source's URL and the events
   checkout.order.placed and state_enter.order.*, state_enter.order_transaction.*,
   state_enter.order_delivery.* as you need them; ask for the permission to read orders.
2. Your app's own server answers the registration and keeps the shop secret; this gateway does not.
3. Put that shop secret behind the reference in `secrets`; of several shops each is a source of its
   own. While you roll it, list the new and the old one.
4. Shopware gives up on a webhook after ten failures: check `orderhook sources refused` after the
   first one."""

SCHEME = Hmac(
    "shopware-shop-signature",
    what="the shop secret your app gave at registration",
    empty=False,
)

ORDER = "data.payload.order"
OPEN = "payment.awaiting_payment"

EVENTS = {
    "checkout.order.placed": "order.new",
    "state_enter.order.state.open": "order.new",
    "state_enter.order.state.in_progress": "order.confirmed",
    "state_enter.order.state.completed": "order.completed",
    "state_enter.order.state.cancelled": "order.cancelled",
    "state_enter.order_transaction.state.open": OPEN,
    "state_enter.order_transaction.state.unconfirmed": OPEN,
    "state_enter.order_transaction.state.reminded": OPEN,
    "state_enter.order_transaction.state.in_progress": OPEN,
    "state_enter.order_transaction.state.paid_partially": OPEN,
    "state_enter.order_transaction.state.authorized": "payment.authorized",
    "state_enter.order_transaction.state.paid": "payment.paid",
    "state_enter.order_transaction.state.failed": "payment.failed",
    "state_enter.order_transaction.state.cancelled": "payment.cancelled",
    "state_enter.order_transaction.state.chargeback": "payment.chargeback",
    "state_enter.order_transaction.state.refunded": "payment.refunded",
    "state_enter.order_transaction.state.refunded_partially": "payment.partially_refunded",
    "state_enter.order_transaction_capture_refund.state.completed": "payment.partially_refunded",
    "state_enter.order_transaction_capture_refund.state.open": "ignore: no money has moved yet",
    "state_enter.order_transaction_capture_refund.state.in_progress": (
        "ignore: no money has moved yet"
    ),
    "state_enter.order_delivery.state.open": "ignore: nothing has been sent yet",
    "state_enter.order_delivery.state.shipped": "fulfillment.shipped",
    "state_enter.order_delivery.state.shipped_partially": "fulfillment.partially_shipped",
    "state_enter.order_delivery.state.returned": "delivery.returned_to_sender",
    "state_enter.order_delivery.state.returned_partially": (
        "ignore: part of the goods came back, the order goes on"
    ),
    "state_enter.order_delivery.state.cancelled": "fulfillment.cancelled",
}

LAYOUT = Layout(
    title="Shopware",
    says=(
        Says(
            "data.event",
            EVENTS,
            ours=(
                "checkout.order.",
                "state_enter.order.",
                "state_enter.order_transaction.",
                "state_enter.order_transaction_capture_refund.",
                "state_enter.order_delivery.",
            ),
        ),
    ),
    ref=f"{ORDER}.orderNumber",
    key=("source.eventId",),
    when="timestamp",
    aliases={"order:shopware": f"{ORDER}.id"},
    facts={"shopware_order_id": f"{ORDER}.id", "shop_id": "source.shopId"},
    amounts={"amount": Amount(f"{ORDER}.amountTotal")},
)

PRESET = Preset(
    name="shopware",
    title="Shopware 6",
    category="shop",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="source.eventId",
    proof=Proof("sdk", "@shopware-ag/app-server-sdk 2.0.3 (npm)"),
    doubts=(
        (
            "Whether the new webhook transport still carries source.eventId in the body is "
            "UNVERIFIED: confirm on a delivery with X-Shopware-Event-Id."
        ),
        (
            "The timestamp is that of sending: confirm that retries keep it, or the order of late "
            "events is that of their last try."
        ),
        (
            "That a completed refund of a capture gives back only a part is assumed: confirm that "
            "a full refund also enters order_transaction.state.refunded."
        ),
    ),
)
