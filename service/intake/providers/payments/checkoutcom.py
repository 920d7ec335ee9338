"""Checkout.com: events of payments and disputes in, payment statements out.

Facts from the vendor's documentation of workflows (signature; read 2026-11). PARTIAL: the names of
the events are from tests of SDKs and plugins of others. UNVERIFIED: whether the id of an event
stays the same when it is sent again, and the retry schedule. Neither official SDK (checkout-sdk
4.8.1, checkout-sdk-node 5.2.1) verifies webhooks, so no code of others agrees with ours.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Give each payment your order number as `reference`, or put it into its metadata as `order_no`;
   or set subject.ref to the place where it is.
2. In the Checkout.com Dashboard under Developers, Webhooks, add this source's URL with the events
   of payments and disputes.
3. Put the webhook's signature key behind the reference in `secrets`. While you change it, list
   the old and the new one."""

SCHEME = Hmac("Cko-Signature", what="the signature key of the webhook")

EVENTS = {
    "payment_pending": "payment.awaiting_payment",
    "payment_approved": "payment.authorized",
    "payment_paid": "payment.paid",
    "payment_captured": "payment.paid",
    "payment_capture_pending": "facts",
    "payment_capture_declined": "payment.failed",
    "payment_declined": "payment.failed",
    "payment_authentication_failed": "payment.failed",
    "payment_expired": "payment.cancelled",
    "payment_canceled": "payment.cancelled",
    "payment_voided": "payment.cancelled",
    "payment_void_declined": "facts",
    # How much went back in all is added up by the law, which then says `refunded`.
    "payment_refunded": "payment.partially_refunded",
    "payment_refund_pending": "facts",
    "payment_refund_declined": "facts",
    "payment_returned": "payment.refunded",
    "payment_chargeback": "payment.chargeback",
    "payment_retrieval": "ignore: the bank asks for papers, no money has moved",
    "payment_authorization_incremented": "ignore: only the amount that is held changed",
    "dispute_received": "payment.chargeback",
    "dispute_evidence_required": "payment.chargeback",
    "dispute_expired": "payment.chargeback",
    "dispute_accepted": "payment.chargeback",
    "dispute_lost": "payment.chargeback",
    "dispute_won": "payment.paid",
    "dispute_canceled": "payment.paid",
    "dispute_resolved": "payment.paid",
}

DISPUTED = (
    *("dispute_received", "dispute_evidence_required", "dispute_expired"),
    *("dispute_accepted", "dispute_lost"),
)
ENDED_WELL = ("dispute_won", "dispute_canceled", "dispute_resolved")
ACTION = "data.action_id || data.id"
# A dispute has an id of its own and names its payment; a payment is named itself.
PAYMENT = "data.payment_id || data.id"

LAYOUT = Layout(
    title="Checkout.com",
    says=(Says("type", EVENTS, ours=("payment_", "dispute_")),),
    ref="data.reference || data.metadata.order_no || data.metadata.order_id",
    key=("id",),
    when="data.processed_on || created_on",
    aliases={"payment:checkoutcom": PAYMENT},
    facts={"payment_id": PAYMENT, "action_id": "data.action_id"},
    amounts={
        "amount": Amount(
            "data.amount",
            "data.currency",
            "minor",
            ("payment_pending", "payment_approved", "payment_paid"),
        )
    },
    money=(
        # Were payment_paid counted too, where both come it would all be counted twice.
        MoneyAt("paid", "data.amount", "data.currency", ACTION, "minor", ("payment_captured",)),
        MoneyAt(
            "refunded",
            "data.amount",
            "data.currency",
            ACTION,
            "minor",
            ("payment_refunded", "payment_returned"),
        ),
        MoneyAt("refunded", "'0'", "data.currency", ACTION, when=("payment_refund_declined",)),
        MoneyAt("charged_back", "data.amount", "data.currency", "data.id", "minor", DISPUTED),
        MoneyAt("charged_back", "'0'", "data.currency", "data.id", when=ENDED_WELL),
    ),
)

PRESET = Preset(
    name="checkoutcom",
    title="Checkout.com",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof("none", "the vendor's documentation of workflows"),
    doubts=(
        (
            "Whether an event keeps its id when it is sent again is UNVERIFIED: confirm by "
            "letting one delivery fail."
        ),
        (
            "The names of events are PARTIAL (SDK tests and plugins): confirm that none of your "
            "live events ends as unmapped."
        ),
        (
            "The fields of disputes (payment_id, amount, id) are UNVERIFIED: confirm on a live "
            "dispute that it leads to its payment."
        ),
        (
            "Decimal places of currencies with none or three are UNVERIFIED: confirm the amount "
            "of a payment in yen or in Kuwaiti dinars."
        ),
        (
            "That a declined refund carries the action_id of the refund is UNVERIFIED: confirm "
            "on one."
        ),
    ),
)
