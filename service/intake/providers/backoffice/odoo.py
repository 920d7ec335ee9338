"""Odoo 19: the action "Send Webhook Notification" in, order, invoice and purchase statements out.

Facts from the source of version 19 (read 2026-11): a plain JSON body with `_action`, `_model`,
`_id` and the chosen fields, no signature, one second of patience and no second try, times in UTC
without a zone, the states of a transfer and of a sales order. UNVERIFIED: that the action exists
since version 17, the states of invoices and purchase orders, fields other than those named here.

Nothing but the URL proves the sender, so the URL ends in a secret.
"""

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.kinds import Kinds, word_at
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.shared import UrlToken
from service.settings import Source

SETUP = """\
1. Make up a long secret, put it behind the reference in `url_token`, and give Odoo this source's
   URL with the secret at its end.
2. In Odoo under Settings, Technical, Automation Rules, add a rule for each of Sales Order
   (sale.order), Transfer (stock.picking), Journal Entry (account.move) and Purchase Order
   (purchase.order) that matters, on creation and update of its state, with the action Send Webhook
   Notification.
3. Fields to send: always name, state and write_date; of sales orders client_order_ref,
   delivery_status and amount_total; of transfers origin, picking_type_code, return_id and
   carrier_tracking_ref; of journal entries move_type, payment_state and invoice_origin; of purchase
   orders receipt_status.
4. The order number is the name of the sales order (S00021). Where client_order_ref is the shop's
   number, set subject.ref = "client_order_ref": transfers find the order by its name all the same.
5. Odoo waits for one second and never tries again: reconcile once a day."""

SCHEME = UrlToken()

TITLE = "Odoo"
MODEL = "_model && _id && write_date && _model"

SALES_ORDER = Layout(
    title=TITLE,
    says=(
        Says(
            "(state == 'cancel' && state)"
            " || (delivery_status && delivery_status != 'pending' && delivery_status) || state",
            {
                "draft": "order.new",
                "sent": "order.new",
                "sale": "order.confirmed",
                "done": "order.confirmed",
                "cancel": "order.cancelled",
                "started": "fulfillment.picking",
                "partial": "fulfillment.partially_shipped",
                "full": "fulfillment.shipped",
            },
        ),
    ),
    ref="name",
    key=(MODEL, "_id", "state", "delivery_status", "write_date"),
    when="write_date",
    zone="UTC",
    aliases={"order:odoo": "name"},
    facts={"erp_number": "name", "external_number": "client_order_ref || `null`"},
    amounts={"amount": Amount("amount_total", "currency")},
)

TRANSFERS = {
    "draft": "facts",
    "waiting": "fulfillment.new",
    "confirmed": "fulfillment.new",
    "assigned": "fulfillment.picking",
    "done": "fulfillment.shipped",
    "cancel": "fulfillment.cancelled",
}
RETURNS = dict.fromkeys(TRANSFERS, "facts") | {"done": "fulfillment.returned_to_stock"}

TRANSFER = Layout(
    title=TITLE,
    says=(
        Says(
            "(return_id && 'return')"
            " || (picking_type_code != 'outgoing' && picking_type_code) || state",
            {
                **TRANSFERS,
                "return": Branch("state", RETURNS),
                "incoming": "ignore: goods that come in are no part of an order's way out",
                "internal": "ignore: a step inside the warehouse is not the shipment",
            },
        ),
    ),
    ref="`null`",
    key=(MODEL, "_id", "state", "write_date"),
    when="write_date",
    zone="UTC",
    # Each transfer is a part of the order; what comes back is told of the whole.
    parcel="(!return_id && name) || `null`",
    # The origin of a return is the name of the transfer it undoes, whose id leads to the order.
    aliases={
        "order:odoo": "(!return_id && origin) || `null`",
        "transfer:odoo": "return_id[0] || return_id || _id",
        "tracking": "(!return_id && carrier_tracking_ref) || `null`",
    },
    # Odoo writes false for what is empty; the number of a return is not the customer's parcel.
    facts={
        "transfer": "name",
        "tracking_number": "(!return_id && carrier_tracking_ref) || `null`",
    },
)

INVOICE = Layout(
    title=TITLE,
    says=(
        Says(
            "(move_type && move_type != 'out_invoice' && 'another')"
            " || (state == 'posted' && payment_state) || state",
            {
                "another": "ignore: it is no invoice to a customer",
                "draft": "document.draft",
                "posted": "document.issued",
                "cancel": "document.cancelled",
                "not_paid": "payment.open",
                "in_payment": "facts",
                "partial": "payment.partially_paid",
                "paid": "payment.paid",
                "reversed": "document.credited",
                "invoicing_legacy": "facts",
            },
        ),
    ),
    # All drafts are called `/` until they are posted.
    ref="(name != '/' && name) || `null`",
    key=(MODEL, "_id", "state", "payment_state", "write_date"),
    when="write_date",
    zone="UTC",
    lifecycle="invoice",
    aliases={"invoice:odoo": "_id"},
    facts={
        "order_number": "invoice_origin || `null`",
        "payment_state": "payment_state || `null`",
    },
    amounts={"amount": Amount("amount_total", "currency")},
)

PURCHASE = Layout(
    title=TITLE,
    says=(
        Says(
            "(state == 'cancel' && state)"
            " || (receipt_status && receipt_status != 'pending' && receipt_status) || state",
            {
                "draft": "approval.draft",
                "sent": "approval.draft",
                "to approve": "approval.submitted",
                "purchase": "approval.approved",
                "done": "approval.approved",
                "cancel": "supplier.cancelled",
                "partial": "receipt.partially_received",
                "full": "receipt.received",
            },
        ),
    ),
    ref="name",
    key=(MODEL, "_id", "state", "receipt_status", "write_date"),
    when="write_date",
    zone="UTC",
    lifecycle="purchase_order",
    facts={"supplier_number": "partner_ref || `null`"},
    amounts={"amount": Amount("amount_total", "currency")},
)

OTHERS = Layout(
    title=TITLE,
    says=(Says("_model", {}),),
    ref="`null`",
    key=(MODEL, "_id", "write_date"),
    when="write_date",
    zone="UTC",
)

KINDS = Kinds(
    word_at("_model"),
    {
        "sale.order": SALES_ORDER,
        "stock.picking": TRANSFER,
        "account.move": INVOICE,
        "purchase.order": PURCHASE,
    },
    usual=OTHERS,
)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source))


PRESET = Preset(
    name="odoo",
    title="Odoo",
    category="erp",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="document, its state and the time of its change",
    proof=Proof("none", "the source of Odoo 19"),
    doubts=(
        (
            "The states of invoices and purchase orders are UNVERIFIED: an unknown one is a dead "
            "letter."
        ),
        (
            "A transfer that tells no picking_type_code is read as one to the customer: where "
            "goods are picked and packed in steps, confirm that only outgoing transfers are sent."
        ),
        (
            "A return is told of the whole order, even where only a part came back: confirm that "
            "this suits."
        ),
        (
            "That a return names the transfer it undoes in return_id is UNVERIFIED on a live one: "
            "confirm that it finds its order."
        ),
        (
            "That orders of several transfers send each of them from the start is UNVERIFIED: "
            "without, the first one done reads as all shipped."
        ),
    ),
    url_token=True,
)
