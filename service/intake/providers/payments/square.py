"""Square: payments, refunds, disputes and orders of a seller in, statements about orders out.

Facts from the official SDK (squareup 46.0.0, PyPI: signature, event types, states of refunds and
disputes; read 2026-11). Retry schedule from third parties. UNVERIFIED: what a REJECTED or FAILED
refund event looks like; that a FAILED fulfillment comes back.

The signature covers the address as the subscription has it, so that must be known here exactly.
Events about orders carry only Square's ids; a payment with a reference leads from them to ours.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Put your order number into `reference_id` of each payment (or of the order, and set
   subject.ref to where it comes back).
2. In the Square Developer Console under Webhooks, Subscriptions, add this source's URL for
   payment.*, refund.*, dispute.created, dispute.state.updated and, where you use Square orders,
   order.created, order.updated and order.fulfillment.updated.
3. Put the subscription's signature key behind the reference in `secrets`.
4. Square signs the address it was given: where that is not public_url of [server] and the
   source's path, set options = { url = "https://…" } to the very same text."""

SCHEME = Hmac(
    "X-Square-HmacSha256-Signature",
    message="{url}{body}",
    encoding="base64",
    what="the signature key of the webhook subscription",
    empty=False,
)

PAYMENT = {
    "APPROVED": "payment.authorized",
    "PENDING": "payment.awaiting_payment",
    "COMPLETED": "payment.paid",
    "CANCELED": "payment.cancelled",
    "FAILED": "payment.failed",
}
# How much went back in all is added up by the law, which then says `refunded`.
REFUND = {
    "PENDING": "facts",
    "COMPLETED": "payment.partially_refunded",
    "REJECTED": "facts",
    "FAILED": "facts",
}
DISPUTE = {
    "INQUIRY_EVIDENCE_REQUIRED": "payment.chargeback",
    "INQUIRY_PROCESSING": "payment.chargeback",
    "INQUIRY_CLOSED": "payment.chargeback",
    "EVIDENCE_REQUIRED": "payment.chargeback",
    "PROCESSING": "payment.chargeback",
    "LOST": "payment.chargeback",
    "ACCEPTED": "payment.chargeback",
    "WON": "payment.paid",
}
ORDER = {
    "DRAFT": "order.new",
    "OPEN": "order.confirmed",
    "COMPLETED": "order.completed",
    "CANCELED": "order.cancelled",
}
FULFILLMENT = {
    "PROPOSED": "fulfillment.new",
    "RESERVED": "fulfillment.picking",
    "PREPARED": "fulfillment.packed",
    "COMPLETED": "fulfillment.shipped",
    "CANCELED": "fulfillment.cancelled",
    "FAILED": "fulfillment.returned_to_stock",
}
EVIDENCE = "ignore: papers of the dispute changed, not its state"

EVENTS: dict[str, Told] = {
    "payment.created": Branch("root.data.object.payment.status", PAYMENT),
    "payment.updated": Branch("root.data.object.payment.status", PAYMENT),
    "refund.created": Branch("root.data.object.refund.status", REFUND),
    "refund.updated": Branch("root.data.object.refund.status", REFUND),
    "dispute.created": Branch("root.data.object.dispute.state", DISPUTE),
    "dispute.state.updated": Branch("root.data.object.dispute.state", DISPUTE),
    "dispute.state.changed": Branch("root.data.object.dispute.state", DISPUTE),
    "dispute.evidence.created": EVIDENCE,
    "dispute.evidence.added": EVIDENCE,
    "dispute.evidence.deleted": EVIDENCE,
    "dispute.evidence.removed": EVIDENCE,
    "order.created": Branch("root.data.object.order_created.state", ORDER),
    "order.updated": Branch("root.data.object.order_updated.state", ORDER),
    "order.fulfillment.updated": Branch("new_state", FULFILLMENT),
}

CHARGED_BACK = ("EVIDENCE_REQUIRED", "PROCESSING", "LOST", "ACCEPTED")
REFUND_AT = "root.data.object.refund"
DISPUTE_AT = "root.data.object.dispute"
PAYMENT_ID = (
    f"root.data.object.payment.id || {REFUND_AT}.payment_id"
    f" || {DISPUTE_AT}.disputed_payment.payment_id"
)
DISPUTE_ID = f"{DISPUTE_AT}.id || {DISPUTE_AT}.dispute_id"

LAYOUT = Layout(
    title="Square",
    # Several fulfillments of an order may change at once; all else is one event.
    items="data.object.order_fulfillment_updated.fulfillment_update || [@]",
    says=(Says("root.type", EVENTS, ours=("payment.", "refund.", "dispute.", "order.")),),
    ref="root.data.object.payment.reference_id",
    key=("(fulfillment_uid && join(':', [root.event_id, fulfillment_uid])) || root.event_id",),
    when="root.created_at",
    parcel="fulfillment_uid",
    reason=f"{DISPUTE_AT}.reason || {REFUND_AT}.reason",
    aliases={
        "payment:square": PAYMENT_ID,
        "order:square": (
            f"root.data.object.payment.order_id || {REFUND_AT}.order_id"
            " || root.data.object.order_created.order_id"
            " || root.data.object.order_updated.order_id"
            " || root.data.object.order_fulfillment_updated.order_id"
        ),
    },
    facts={
        "payment_id": PAYMENT_ID,
        "refund_id": f"{REFUND_AT}.id",
        "refund_status": f"{REFUND_AT}.status",
        "dispute_id": DISPUTE_ID,
        "dispute_status": f"{DISPUTE_AT}.state",
    },
    amounts={
        "amount": Amount(
            "root.data.object.payment.amount_money.amount",
            "root.data.object.payment.amount_money.currency",
            "minor",
        ),
    },
    money=(
        MoneyAt(
            "paid",
            "root.data.object.payment.amount_money.amount",
            "root.data.object.payment.amount_money.currency",
            "root.data.object.payment.id",
            "minor",
            ("COMPLETED",),
            ("root.data.object.payment.status",),
        ),
        MoneyAt(
            "refunded",
            f"{REFUND_AT}.amount_money.amount",
            f"{REFUND_AT}.amount_money.currency",
            f"{REFUND_AT}.id",
            "minor",
            ("COMPLETED",),
            (f"{REFUND_AT}.status",),
        ),
        MoneyAt(
            "refunded",
            "'0'",
            f"{REFUND_AT}.amount_money.currency",
            f"{REFUND_AT}.id",
            when=("REJECTED", "FAILED"),
            words=(f"{REFUND_AT}.status",),
        ),
        MoneyAt(
            "charged_back",
            f"{DISPUTE_AT}.amount_money.amount",
            f"{DISPUTE_AT}.amount_money.currency",
            DISPUTE_ID,
            "minor",
            CHARGED_BACK,
            (f"{DISPUTE_AT}.state",),
        ),
        MoneyAt(
            "charged_back",
            "'0'",
            f"{DISPUTE_AT}.amount_money.currency",
            DISPUTE_ID,
            when=("WON",),
            words=(f"{DISPUTE_AT}.state",),
        ),
    ),
)

PRESET = Preset(
    name="square",
    title="Square",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id (and, of a fulfillment, its own)",
    proof=Proof("sdk", "squareup 46.0.0 (PyPI)"),
    doubts=(
        (
            "payment.updated may repeat COMPLETED at any later time, which puts a disputed "
            "payment back to paid: confirm on a dispute that none comes before its end."
        ),
        (
            "The words REJECTED and FAILED of a refund are UNVERIFIED: confirm on a refund that "
            "fails that its event carries one of them."
        ),
        (
            "A closed inquiry (INQUIRY_CLOSED) stays a chargeback until WON comes; confirm on "
            "one that Square sends another event when the inquiry ends well."
        ),
        (
            "A fulfillment that is FAILED is taken for goods that came back: confirm that with "
            "how you use Square."
        ),
    ),
    options=("url",),
)
