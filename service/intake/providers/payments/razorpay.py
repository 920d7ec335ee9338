"""Razorpay: events of payments, refunds, disputes and invoices in, payment statements out.

Facts from the official SDK (razorpay 2.0.1, PyPI: signature) and its documentation in Markdown
(events, identity, time-outs; read 2026-11). Amounts are in the smallest unit. UNVERIFIED: how many
decimal places Razorpay counts for currencies that have none or three.

After 24 hours of refusals Razorpay disables the webhook.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Give each order your order number as `receipt`, or put it into the notes of the payment as
   `order_no`; or set subject.ref to the place where it is.
2. In the Razorpay Dashboard under Account & Settings, Webhooks, add this source's URL with a
   secret of your own and the events of order, payment, refund and payment.dispute.
3. Put that secret behind the reference in `secrets` (it is not the API key's). When you change
   it, keep the old one listed for a day: older events are sent again under the old secret."""

SCHEME = Hmac("X-Razorpay-Signature", what="the secret of the Razorpay webhook")

REFUNDED = {"partial": "payment.partially_refunded", "full": "payment.refunded"}
DOWNTIME = "ignore: a bank or a card network is down, or up again"

EVENTS: dict[str, Told] = {
    "payment.authorized": "payment.authorized",
    "payment.captured": "payment.paid",
    "payment.failed": "payment.failed",
    "payment.dispute.created": "payment.chargeback",
    "payment.dispute.under_review": "payment.chargeback",
    "payment.dispute.action_required": "payment.chargeback",
    "payment.dispute.lost": "payment.chargeback",
    "payment.dispute.won": "payment.paid",
    # Who won is told by the events `lost` and `won`.
    "payment.dispute.closed": "facts",
    "payment.downtime.started": DOWNTIME,
    "payment.downtime.updated": DOWNTIME,
    "payment.downtime.resolved": DOWNTIME,
    "order.paid": "payment.paid",
    "refund.created": "facts",
    "refund.processed": Branch(
        "payload.payment.entity.refund_status", REFUNDED, absent="payment.partially_refunded"
    ),
    "refund.failed": "facts",
    "refund.speed_changed": "facts",
    "invoice.paid": "payment.paid",
    "invoice.partially_paid": "payment.awaiting_payment",
    "invoice.expired": "payment.cancelled",
    "payment_link.paid": "payment.paid",
    "payment_link.partially_paid": "payment.awaiting_payment",
    "payment_link.cancelled": "payment.cancelled",
    "payment_link.expired": "payment.cancelled",
    "qr_code.credited": "payment.paid",
    "virtual_account.credited": "payment.paid",
}
OURS = ("payment.", "order.", "refund.", "invoice.", "payment_link.")

CAPTURED = (
    *("payment.captured", "order.paid", "invoice.paid", "payment_link.paid"),
    *("qr_code.credited", "virtual_account.credited", "refund.processed", "refund.failed"),
)
DISPUTED = (
    *("payment.dispute.created", "payment.dispute.under_review"),
    *("payment.dispute.action_required", "payment.dispute.lost"),
)
PAYMENT = "payload.payment.entity"
REFUND = "payload.refund.entity"
DISPUTE = "payload.dispute.entity"

LAYOUT = Layout(
    title="Razorpay",
    says=(Says("event", EVENTS, ours=OURS),),
    # `notes` is an empty list where there are none.
    ref=(
        f"payload.order.entity.receipt || {PAYMENT}.notes.order_no || {PAYMENT}.notes.order_id"
        " || payload.payment_link.entity.reference_id"
    ),
    key=("header:X-Razorpay-Event-Id",),
    when="created_at",
    aliases={
        "payment:razorpay": f"{PAYMENT}.id || {REFUND}.payment_id || {DISPUTE}.payment_id",
        "order:razorpay": f"payload.order.entity.id || {PAYMENT}.order_id",
    },
    facts={
        "payment_id": f"{PAYMENT}.id || {REFUND}.payment_id || {DISPUTE}.payment_id",
        "refund_id": f"{REFUND}.id",
        "refund_status": f"{REFUND}.status",
        "dispute_id": f"{DISPUTE}.id",
        "dispute_status": f"{DISPUTE}.status",
    },
    amounts={
        "amount": Amount(f"{PAYMENT}.amount", f"{PAYMENT}.currency", "minor"),
        "refund_amount": Amount(f"{REFUND}.amount", f"{REFUND}.currency", "minor"),
    },
    money=(
        MoneyAt(
            "paid",
            f"{PAYMENT}.amount",
            f"{PAYMENT}.currency",
            f"{PAYMENT}.id",
            "minor",
            CAPTURED,
        ),
        MoneyAt(
            "refunded",
            f"{REFUND}.amount",
            f"{REFUND}.currency",
            f"{REFUND}.id",
            "minor",
            ("refund.processed",),
        ),
        MoneyAt("refunded", "'0'", f"{REFUND}.currency", f"{REFUND}.id", when=("refund.failed",)),
        MoneyAt(
            "charged_back",
            f"{DISPUTE}.amount",
            f"{DISPUTE}.currency",
            f"{DISPUTE}.id",
            "minor",
            DISPUTED,
        ),
        MoneyAt(
            "charged_back",
            "'0'",
            f"{DISPUTE}.currency",
            f"{DISPUTE}.id",
            when=("payment.dispute.won",),
        ),
    ),
)

PRESET = Preset(
    name="razorpay",
    title="Razorpay",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="X-Razorpay-Event-Id",
    proof=Proof("sdk", "razorpay 2.0.1 (PyPI)"),
    doubts=(
        (
            "The event's id stands in a header that is not signed: whoever has one signed request "
            "may post it again under another, which repeats what it said and nothing else."
        ),
        (
            "Decimal places of currencies with none or three are UNVERIFIED: confirm the amount "
            "of a payment in yen or in Kuwaiti dinars."
        ),
        (
            "The fields of disputes (amount, currency, payment_id) are UNVERIFIED: confirm on a "
            "live dispute that it leads to its payment."
        ),
    ),
)
