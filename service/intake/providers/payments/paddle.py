"""Paddle Billing: transactions and adjustments in, payment statements out.

Facts from the official SDK (paddle-python-sdk 1.16.1, PyPI: signature, names of events, statuses,
actions and types of adjustments; read 2026-11). Retries from third parties. The SDK takes 5 s of
drift by default, we what the source's `tolerance` says. UNVERIFIED: what becomes of a chargeback's
adjustment once the chargeback is reversed.

Amounts are texts in the smallest unit. An adjustment names only its transaction.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Put your order number into `custom_data` of each transaction as `order_no`; or set subject.ref
   to the place where it is.
2. In Paddle under Developer tools, Notifications, add a destination with this source's URL and
   the events of transaction and adjustment.
3. Put the destination's secret key (`pdl_ntfset_…`, taken as it stands) behind the reference in
   `secrets`. While you rotate it, list the old and the new one."""

SCHEME = Hmac(
    "Paddle-Signature",
    message="{time}:{body}",
    pairs=("ts", "h1"),
    separator=";",
    what="the secret key of the notification destination (pdl_ntfset_…)",
)

OPEN: dict[str, Told] = {
    "draft": "payment.awaiting_payment",
    "ready": "payment.awaiting_payment",
    "billed": "payment.awaiting_payment",
    "canceled": "payment.cancelled",
    "past_due": "payment.failed",
}
MADE: dict[str, Told] = {**OPEN, "paid": "payment.paid", "completed": "payment.paid"}
# Told again at any later time, which must not take a chargeback back; the events of being paid
# and completed carry it.
CHANGED: dict[str, Told] = {**OPEN, "paid": "facts", "completed": "facts"}

REFUND: dict[str, Told] = {
    "pending_approval": "facts",
    "approved": Branch(
        "data.type",
        {"full": "payment.refunded", "partial": "payment.partially_refunded"},
        absent="payment.partially_refunded",
    ),
    "rejected": "facts",
    "reversed": "facts",
}
CHARGEBACK: dict[str, Told] = {
    "pending_approval": "facts",
    "approved": "payment.chargeback",
    "rejected": "facts",
    "reversed": "facts",
}
REVERSE: dict[str, Told] = {**CHARGEBACK, "approved": "payment.paid"}
ADJUSTMENT: dict[str, Told] = {
    "refund": Branch("data.status", REFUND),
    "chargeback": Branch("data.status", CHARGEBACK),
    "chargeback_reverse": Branch("data.status", REVERSE),
    "chargeback_warning": "facts",
    "chargeback_warning_reverse": "facts",
    "credit": "ignore: a credit lowers what is still to be paid",
    "credit_reverse": "ignore: a credit was taken back",
}

EVENTS: dict[str, Told] = {
    "transaction.created": Branch("data.status", MADE),
    "transaction.ready": Branch("data.status", MADE),
    "transaction.updated": Branch("data.status", CHANGED),
    "transaction.revised": Branch("data.status", CHANGED),
    "transaction.billed": "payment.awaiting_payment",
    "transaction.paid": "payment.paid",
    "transaction.completed": "payment.paid",
    "transaction.payment_failed": "payment.failed",
    "transaction.past_due": "payment.failed",
    "transaction.canceled": "payment.cancelled",
    "adjustment.created": Branch("data.action", ADJUSTMENT),
    "adjustment.updated": Branch("data.action", ADJUSTMENT),
}

TOTAL = "data.details.totals.grand_total"
ADJUSTED = ("data.action", "data.status")
PAID = ("transaction.paid", "transaction.completed")

LAYOUT = Layout(
    title="Paddle",
    says=(Says("event_type", EVENTS, ours=("transaction.", "adjustment.")),),
    ref="data.custom_data.order_no || data.custom_data.order_id",
    key=("event_id",),
    when="occurred_at",
    reason="data.reason",
    aliases={"payment:paddle": "data.transaction_id || data.id"},
    facts={
        "payment_id": "data.transaction_id || data.id",
        "invoice_number": "data.invoice_number",
        "adjustment": "data.action",
    },
    amounts={"amount": Amount(TOTAL, "data.currency_code", "minor")},
    money=(
        MoneyAt("paid", TOTAL, "data.currency_code", "data.id", "minor", PAID),
        MoneyAt(
            "refunded",
            "data.totals.total",
            "data.currency_code",
            "data.id",
            "minor",
            ("refund:approved",),
            ADJUSTED,
        ),
        MoneyAt(
            "refunded",
            "'0'",
            "data.currency_code",
            "data.id",
            when=("refund:rejected", "refund:reversed"),
            words=ADJUSTED,
        ),
        # Its reversal is an adjustment of its own, so the transaction is the id of both.
        MoneyAt(
            "charged_back",
            "data.totals.total",
            "data.currency_code",
            "data.transaction_id",
            "minor",
            ("chargeback:approved",),
            ADJUSTED,
        ),
        MoneyAt(
            "charged_back",
            "'0'",
            "data.currency_code",
            "data.transaction_id",
            when=("chargeback_reverse:approved",),
            words=ADJUSTED,
        ),
    ),
)

PRESET = Preset(
    name="paddle",
    title="Paddle",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof("sdk", "paddle-python-sdk 1.16.1 (PyPI)"),
    doubts=(
        (
            "The type of a refund (full or partial) is UNVERIFIED: confirm on a live refund that "
            "adjustment.created carries it; without it the amounts decide."
        ),
        (
            "That a reversed chargeback comes as an adjustment chargeback_reverse of status "
            "approved is UNVERIFIED: confirm on a chargeback that you won."
        ),
    ),
)
