"""ERPNext as a sender: the fields of a document its webhook is set up with, signed."""

from service.intake.provider import SignedRequest
from service.intake.providers.backoffice import erpnext
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

TOLD: dict[str, Object] = {
    "new": {"doctype": "Sales Order", "status": "Draft", "docstatus": 0},
    "confirmed": {"doctype": "Sales Order", "status": "To Deliver and Bill", "docstatus": 1},
    "cancelled": {"doctype": "Sales Order", "status": "Cancelled", "docstatus": 2},
    "picking": {"doctype": "Pick List", "docstatus": 0},
    "shipped": {"doctype": "Delivery Note", "status": "To Bill", "docstatus": 1, "is_return": 0},
    "returned": {"doctype": "Delivery Note", "status": "To Bill", "docstatus": 1, "is_return": 1},
    "invoice_paid": {"doctype": "Sales Invoice", "status": "Paid", "docstatus": 1},
    "goods_received": {"doctype": "Purchase Order", "status": "To Bill", "docstatus": 1},
}
NAMES = {
    "Sales Order": "SAL-ORD-2026",
    "Pick List": "STO-PICK-2026",
    "Delivery Note": "MAT-DN-2026",
    "Sales Invoice": "ACC-SINV-2026",
    "Purchase Order": "PUR-ORD-2026",
}


def bare(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    """Put the body into a request as Frappe does: nothing says that it is JSON."""
    return SignedRequest({}, body)


def _document(said: Object, occasion: Occasion) -> Object:
    kind = str(said["doctype"])
    told_more: dict[str, JSON] = {
        "name": f"{NAMES[kind]}-{occasion.order}",
        "modified": occasion.at.strftime("%Y-%m-%d %H:%M:%S.%f"),
        "po_no": occasion.order,
        "grand_total": float(occasion.amount),
        "currency": occasion.currency,
    }
    if kind == "Delivery Note":
        told_more["against_sales_order"] = f"{NAMES['Sales Order']}-{occasion.order}"
    return {**said, **told_more}


SENDER = Sender(
    erpnext.PRESET.name,
    schemes.signer(erpnext.SCHEME),
    told(_document, TOLD),
    "shipped",
    bare,
    {"timezone": "Europe/Berlin", "subject": {"ref": "po_no"}},
)
