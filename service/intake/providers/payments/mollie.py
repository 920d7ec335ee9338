"""Mollie: events of the new webhooks, which are signed, in; payment statements out.

Facts from the official SDK (mollie-api-py 1.10.20, PyPI: signature, names of events, fields of
refunds, captures and chargebacks) and docs.mollie.com (answers; read 2026-11). UNVERIFIED: the
schedule of retries. The older webhooks, which carry only an id and no signature, are the preset
mollieclassic.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Put your order number into the metadata of each payment as `order_no`; or set subject.ref to
   the place where it is.
2. In the Mollie Dashboard under Developers, Webhooks (or by the API of webhooks), subscribe this
   source's URL to payment.*, refund.*, chargeback.* and, where you capture later, capture.*,
   with the full payload (not the simple one).
3. Put the webhook's signing secret behind the reference in `secrets`. While you change it, list
   the old and the new one."""

SCHEME = Hmac(
    "X-Mollie-Signature", prefix="sha256=", several=True, what="the webhook's signing secret"
)

EVENTS = {
    "payment.pending": "payment.awaiting_payment",
    "payment.authorized": "payment.authorized",
    "payment.paid": "payment.paid",
    "payment.failed": "payment.failed",
    "payment.canceled": "payment.cancelled",
    "payment.expired": "payment.cancelled",
    "capture.succeeded": "payment.paid",
    "capture.failed": "payment.failed",
    "payment-link.paid": "payment.paid",
    "refund.queued": "facts",
    "refund.pending": "facts",
    "refund.processing": "facts",
    # How much went back in all is added up by the law, which then says `refunded`.
    "refund.refunded": "payment.partially_refunded",
    "refund.failed": "facts",
    "refund.canceled": "facts",
    "chargeback.received": "payment.chargeback",
    "chargeback.reversed": "payment.paid",
}
OURS = ("payment.", "capture.", "payment-link.", "refund.", "chargeback.")

ENTITY = "_embedded.entity"
# Refunds, captures and chargebacks name their payment; a payment is named itself.
PAYMENT = f"{ENTITY}.paymentId || (starts_with(entityId, 'tr_') && entityId) || `null`"
LINK = "(starts_with(entityId, 'pl_') && entityId) || `null`"
AMOUNT = (f"{ENTITY}.amount.value", f"{ENTITY}.amount.currency", "entityId")
ZERO = ("'0'", f"{ENTITY}.amount.currency", "entityId")

LAYOUT = Layout(
    title="Mollie",
    says=(Says("type", EVENTS, ours=OURS),),
    ref=f"{ENTITY}.metadata.order_no || {ENTITY}.metadata.order_id",
    key=("id",),
    when="createdAt",
    aliases={"payment:mollie": PAYMENT, "payment_link:mollie": LINK},
    facts={"payment_id": PAYMENT},
    amounts={
        "amount": Amount(
            *AMOUNT[:2],
            when=("payment.pending", "payment.authorized", "payment.paid", "payment-link.paid"),
        ),
        "refund_amount": Amount(*AMOUNT[:2], when=("refund.refunded",)),
    },
    money=(
        # Captures tell no sums: should payment.paid follow them, it would all be counted twice.
        MoneyAt("paid", *AMOUNT, when=("payment.paid",)),
        MoneyAt("refunded", *AMOUNT, when=("refund.refunded",)),
        MoneyAt("refunded", *ZERO, when=("refund.failed", "refund.canceled")),
        MoneyAt("charged_back", *AMOUNT, when=("chargeback.received",)),
        MoneyAt("charged_back", *ZERO, when=("chargeback.reversed",)),
    ),
)

PRESET = Preset(
    name="mollie",
    title="Mollie",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof("sdk", "mollie-api-py 1.10.20 (PyPI)"),
    doubts=(
        (
            "Whether Mollie ever sends the signature without `sha256=` (its SDK takes both), or "
            "in several headers, is UNVERIFIED: confirm that no live webhook is refused for it."
        ),
        (
            "Whether payment.paid follows capture.succeeded is UNVERIFIED, so captures tell no "
            "sums: confirm on an authorized payment, above all one that you capture in part."
        ),
    ),
)
