"""GoCardless: batches of events about payments and refunds in, payment statements out.

Facts from the official SDK (gocardless_pro 3.22.0, PyPI: signature), from gocardless-events 0.1.4
(PyPI, of others: resource types and actions) and from the vendor's convention that a wrong
signature is answered 498; read 2026-11. UNVERIFIED: time-outs, the count of retries, and whether
an event carries the metadata of its resource.

An event names no order and no amount, only GoCardless's ids; each event of a batch is one of ours.
"""

from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. In the GoCardless Dashboard under Developers, Webhooks, add an endpoint with this source's URL.
2. Put the endpoint's secret behind the reference in `secrets`. While you change it, list the old
   and the new one.
3. An event names its payment (PM…) but no order: let the shop tell `payment:gocardless` with the
   order, or set the name by hand; the events wait until then. If your events carry the metadata
   of their resource, put your order number there as `order_no`."""

SCHEME = Hmac("Webhook-Signature", what="the secret of the webhook endpoint")

REFUSED = 498
"""Token Invalid, which GoCardless asks for."""

EVENTS = {
    "payments.created": "payment.awaiting_payment",
    "payments.customer_approval_granted": "payment.awaiting_payment",
    "payments.submitted": "payment.awaiting_payment",
    "payments.resubmission_requested": "payment.awaiting_payment",
    "payments.confirmed": "payment.paid",
    "payments.paid_out": "payment.paid",
    "payments.failed": "payment.failed",
    # The payment was reported as paid; the money has been taken back since.
    "payments.late_failure_settled": "payment.chargeback",
    "payments.cancelled": "payment.cancelled",
    "payments.customer_approval_denied": "payment.cancelled",
    "payments.charged_back": "payment.chargeback",
    "payments.chargeback_settled": "payment.chargeback",
    "payments.chargeback_cancelled": "payment.paid",
    "payments.surcharge_fee_debited": "ignore: it is about a fee",
    "refunds.created": "facts",
    # The amount is not told, so nothing can tell whether that was all of it.
    "refunds.paid": "payment.partially_refunded",
    "refunds.refund_settled": "payment.partially_refunded",
    "refunds.failed": "facts",
    "refunds.funds_returned": "facts",
}

LAYOUT = Layout(
    title="GoCardless",
    items="events",
    says=(Says("join('.', [resource_type, action])", EVENTS, ours=("payments.", "refunds.")),),
    ref=(
        "resource_metadata.order_no || resource_metadata.order_id"
        " || metadata.order_no || metadata.order_id"
    ),
    key=("id",),
    when="created_at",
    reason="details.cause",
    aliases={"payment:gocardless": "links.payment"},
    facts={
        "payment_id": "links.payment",
        "refund_id": "links.refund",
        "mandate_id": "links.mandate",
    },
    money=(
        MoneyAt(
            "refunded", "'0'", "", "links.refund", when=("refunds.failed", "refunds.funds_returned")
        ),
    ),
)

PRESET = Preset(
    name="gocardless",
    title="GoCardless",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(refusal=REFUSED)),
    scheme=SCHEME.summary,
    identity="the id of each event of the batch",
    proof=Proof("sdk", "gocardless_pro 3.22.0 (PyPI)"),
    doubts=(
        (
            "Whether an event carries the metadata of its payment (resource_metadata) is "
            "UNVERIFIED: confirm on a live event where your order number stands."
        ),
        (
            "That an event of a refund names its payment too (links.payment) is UNVERIFIED: "
            "confirm on a live refund; without it the event waits for a name that never comes."
        ),
        (
            "Events carry no amounts: confirm in GoCardless whether a refund was the whole one, "
            "and, of several refunds, what is left when one fails; the order then counts as paid."
        ),
    ),
)
