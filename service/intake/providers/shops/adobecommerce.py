"""Adobe Commerce: its synchronous webhooks about orders in, statements about orders out.

Facts from the documentation (AdobeDocs/commerce-extensibility @0a42f34, read 2026-11): RSA-SHA256
over the base64 of the body, the answer with operations, `increment_id`. UNVERIFIED: the states of
an order as a complete list, and the fields of credit memos and shipments. Adobe I/O Events, which
sign otherwise, are not read here; Magento Open Source has no webhooks of its own.

A webhook of Adobe Commerce waits for its answer inside the shop's own request: whatever is not a
success may stop the customer.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.publickeys import PublicKey

SETUP = """\
1. In Adobe Commerce under Stores, Configuration, Adobe Services, Webhooks, enable the signature and
   generate a key pair; put the public key behind the reference in `secrets`. A new pair ends the
   old one at once: list both keys here before you make it.
2. Create a webhook for observer.sales_order_save_after, of the type after, with this source's URL.
   Its fields: order.increment_id, order.entity_id, order.state, order.status, order.grand_total,
   order.order_currency_code, order.total_paid, order.total_refunded, order.updated_at.
3. Make the hook not required, with a short timeout: otherwise the shop stops whenever this gateway
   cannot be reached.
4. For credit memos and shipments, send theirs as `creditmemo` (increment_id, grand_total) and
   `shipment` (increment_id), each with order.increment_id beside it."""

HEADER = "x-adobe-commerce-webhook-signature"
SCHEME = PublicKey(
    HEADER,
    message="{body64}",
    what="the public key shown under Webhooks",
    body=False,
)

STATES = {
    "new": "order.new",
    "pending_payment": "payment.awaiting_payment",
    "payment_review": "payment.awaiting_payment",
    "processing": "payment.paid",
    "complete": "order.completed",
    "closed": "payment.refunded",
    "canceled": "order.cancelled",
    "holded": "order.confirmed",
    "creditmemo": "payment.partially_refunded",
    "shipment": "fulfillment.shipped",
}

LAYOUT = Layout(
    title="Adobe Commerce",
    says=(
        Says(
            "(shipment && 'shipment') || (creditmemo && 'creditmemo') || order.state",
            STATES,
        ),
    ),
    ref="order.increment_id || shipment.order.increment_id || creditmemo.order.increment_id",
    when="shipment.updated_at || creditmemo.updated_at || order.updated_at",
    zone="UTC",
    parcel="shipment.increment_id",
    aliases={"order:adobecommerce": "order.entity_id"},
    facts={"state": "order.state", "shop_status": "order.status"},
    amounts={"amount": Amount("order.grand_total", "order.order_currency_code")},
    money=(
        MoneyAt("paid", "order.total_paid", "order.order_currency_code"),
        MoneyAt("refunded", "order.total_refunded", "order.order_currency_code"),
        MoneyAt(
            "refunded",
            "creditmemo.grand_total",
            "creditmemo.order_currency_code || order.order_currency_code",
            id="creditmemo.increment_id",
        ),
    ),
)

PRESET = Preset(
    name="adobecommerce",
    title="Adobe Commerce",
    category="shop",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({"op": "success"}))),
    scheme="RSA-SHA256 of the body in base64",
    identity="the body",
    proof=Proof("none", "developer.adobe.com"),
    doubts=(
        (
            "Each save of an order in processing says paid anew, which puts one that was charged "
            "back to paid: confirm that another source tells of chargebacks last."
        ),
        "The states of an order are UNVERIFIED to be all: an unknown one is a dead letter.",
        "The fields of credit memos and shipments are UNVERIFIED: confirm on a live delivery.",
        (
            "What a shop does while no answer comes depends on the hook: confirm that an order "
            "can still be placed with this gateway stopped."
        ),
        "Adobe I/O Events are not read: their signature is UNVERIFIED.",
    ),
)
