"""Odoo as a sender: the chosen fields of a record, to an address that ends in a secret."""

from service.intake.providers.backoffice import odoo
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

TOLD: dict[str, Object] = {
    "new": {"_model": "sale.order", "state": "draft", "delivery_status": False},
    "confirmed": {"_model": "sale.order", "state": "sale", "delivery_status": "pending"},
    "partially_shipped": {"_model": "sale.order", "state": "sale", "delivery_status": "partial"},
    "picking": {"_model": "stock.picking", "state": "assigned"},
    "shipped": {"_model": "stock.picking", "state": "done"},
    "returned": {"_model": "stock.picking", "state": "done", "return_id": 7},
    "internal": {"_model": "stock.picking", "state": "done", "picking_type_code": "internal"},
    "invoice_paid": {"_model": "account.move", "state": "posted", "payment_state": "paid"},
    "purchase": {"_model": "purchase.order", "state": "purchase", "receipt_status": "pending"},
}
NAMES = {"stock.picking": "WH/OUT/", "account.move": "INV/2026/", "purchase.order": "P"}


def _record(said: Object, occasion: Occasion) -> Object:
    model = str(said["_model"])
    record: Object = {
        "_action": "Webhook(#42)",
        "_id": int(token("", f"{model} {occasion.order}")[:6], 16) + 1,
        "name": f"{NAMES.get(model, '')}{occasion.order}",
        "write_date": occasion.at.strftime("%Y-%m-%d %H:%M:%S"),
    }
    if model == "stock.picking":
        record |= {
            "origin": occasion.order,
            "picking_type_code": "outgoing",
            "return_id": False,
            "carrier_tracking_ref": token("TRK", occasion.order)[:12],
        }
    else:
        record["amount_total"] = float(occasion.amount)
    return dict(sorted((record | said).items()))


SENDER = Sender(
    odoo.PRESET.name,
    schemes.signer(odoo.SCHEME),
    told(_record, TOLD),
    usual="shipped",
)
