"""ERPNext (Frappe): webhooks of documents in, order, invoice and purchase statements out.

Facts from the source of Frappe (read 2026-11): the signature, JSON without a Content-Type, three
attempts, times without a zone in the zone of the server; the document events. The words of a sales
order, and that a delivery note's docstatus 1 means shipped, are PARTIAL (the source of ERPNext);
those of invoices and purchase orders UNVERIFIED. There is no id of an event, and the body is what
whoever set the webhook up wrote: SETUP says what it must hold.
"""

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.kinds import Kinds, word_at
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In ERPNext under Webhook, add one for each of Sales Order, Delivery Note, Pick List, Sales
   Invoice and Purchase Order that matters, with the events on_update, on_submit, on_cancel and
   on_update_after_submit, this source's URL, the request structure JSON, Enable Security, and a
   webhook secret.
2. Let each body carry doctype, name, modified, docstatus and status; of a sales order po_no,
   grand_total and currency; of a delivery note po_no, is_return and against_sales_order (of its
   first item); of a pick list sales_order (of its first location).
3. Put the webhook secret behind the reference in `secrets`, and set timezone to the zone of the
   ERPNext server.
4. Say in subject.ref which number names an order: "po_no" where the shop writes its order number
   there (and no customer a number of their own), or "against_sales_order || sales_order || (doctype
   == 'Sales Order' && name)" for ERPNext's. Without it whoever tells both numbers links them, and
   until then it waits."""

SCHEME = Hmac(
    "X-Frappe-Webhook-Signature",
    encoding="base64",
    what="the webhook secret",
)

TITLE = "ERPNext"
KEY = ("name && modified && doctype", "name", "modified", "status", "docstatus")
DOCSTATUS = "join('', ['docstatus ', to_string(docstatus)])"
TOTAL = {"amount": Amount("grand_total", "currency")}

SALES_ORDER = Layout(
    title=TITLE,
    says=(
        Says(
            "status",
            {
                "Draft": "order.new",
                "On Hold": "facts",
                "To Deliver and Bill": "order.confirmed",
                "To Deliver": "order.confirmed",
                "To Bill": "fulfillment.shipped",
                "Completed": "order.completed",
                "Cancelled": "order.cancelled",
                # Somebody ended it before all was done, which says not how much was.
                "Closed": "facts",
            },
        ),
    ),
    # Customers write numbers of their own into po_no, and two may write the same.
    ref="",
    key=KEY,
    when="modified",
    aliases={"order:erpnext": "name"},
    facts={"erp_number": "name", "external_number": "po_no", "erp_status": "status"},
    amounts=TOTAL,
)

DELIVERY_NOTE = Layout(
    title=TITLE,
    says=(
        Says(
            f"(to_string(is_return) == '1' && join('', ['return ', {DOCSTATUS}])) || {DOCSTATUS}",
            {
                "docstatus 0": "facts",
                "docstatus 1": "fulfillment.shipped",
                "docstatus 2": "fulfillment.cancelled",
                "return docstatus 0": "facts",
                "return docstatus 1": "fulfillment.returned_to_stock",
                "return docstatus 2": "facts",
            },
        ),
    ),
    ref="",
    key=KEY,
    when="modified",
    # Each note is a part of the order; what comes back is told of the whole.
    parcel="(to_string(is_return) != '1' && name) || `null`",
    aliases={"order:erpnext": "against_sales_order", "tracking": "lr_no"},
    facts={"delivery_note": "name", "tracking_number": "lr_no", "carrier": "transporter_name"},
)

PICK_LIST = Layout(
    title=TITLE,
    says=(
        Says(
            DOCSTATUS,
            {
                "docstatus 0": "fulfillment.picking",
                "docstatus 1": "fulfillment.picking",
                "docstatus 2": "facts",
            },
        ),
    ),
    ref="",
    key=KEY,
    when="modified",
    aliases={"order:erpnext": "sales_order"},
    facts={"pick_list": "name"},
)

SALES_INVOICE = Layout(
    title=TITLE,
    says=(
        Says(
            "status",
            {
                "Draft": "document.draft",
                "Submitted": "document.issued",
                "Unpaid": "payment.open",
                "Unpaid and Discounted": "payment.open",
                "Partly Paid": "payment.partially_paid",
                "Partly Paid and Discounted": "payment.partially_paid",
                "Paid": "payment.paid",
                "Overdue": "payment.overdue",
                "Overdue and Discounted": "payment.overdue",
                "Credit Note Issued": "document.credited",
                "Cancelled": "document.cancelled",
                "Return": "ignore: a credit note is a document of its own",
                "Internal Transfer": "ignore: nobody outside is billed",
            },
        ),
    ),
    ref="name",
    key=KEY,
    when="modified",
    lifecycle="invoice",
    facts={"order_number": "po_no", "erp_status": "status"},
    amounts=TOTAL,
)

PURCHASE_ORDER = Layout(
    title=TITLE,
    says=(
        Says(
            "status",
            {
                "Draft": "approval.draft",
                "On Hold": "facts",
                "To Receive and Bill": "approval.approved",
                "To Bill": "receipt.received",
                "To Receive": "billing.invoiced",
                "Delivered": "receipt.received",
                "Completed": "supplier.closed",
                "Closed": "supplier.closed",
                "Cancelled": "supplier.cancelled",
            },
        ),
    ),
    ref="name",
    key=KEY,
    when="modified",
    lifecycle="purchase_order",
    facts={"supplier": "supplier", "erp_status": "status"},
    amounts=TOTAL,
)

OTHERS = Layout(title=TITLE, says=(Says("doctype", {}),), ref="`null`", key=KEY, when="modified")

KINDS = Kinds(
    word_at("doctype"),
    {
        "Sales Order": SALES_ORDER,
        "Delivery Note": DELIVERY_NOTE,
        "Pick List": PICK_LIST,
        "Sales Invoice": SALES_INVOICE,
        "Purchase Order": PURCHASE_ORDER,
    },
    usual=OTHERS,
)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source))


PRESET = Preset(
    name="erpnext",
    title="ERPNext (Frappe)",
    category="erp",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="document, time of its change, status",
    proof=Proof("none", "the source of Frappe"),
    doubts=(
        (
            "Frappe signs the JSON before it posts it, by another call than the one that writes "
            "the body: confirm on a body with dates and with letters outside ASCII."
        ),
        (
            "The words of a sales order are PARTIAL, those of invoices and purchase orders "
            "UNVERIFIED: an unknown one is a dead letter."
        ),
        (
            "A return is told of the whole order, even where only a part came back: confirm that "
            "this suits, or set statuses for `return docstatus 1`."
        ),
        "A sales order `Closed` moves nothing: decide in statuses what it means for you.",
        (
            "What docstatus tells of delivery notes and pick lists, and the fields po_no, lr_no "
            "and against_sales_order, are PARTIAL: confirm on one of each."
        ),
    ),
)
