"""ShipHero: webhooks of a warehouse in, fulfilment statements out.

Facts from developer.shiphero.com (webhooks: signature, message id, answer, kinds; read 2026-11).
Deliveries are not guaranteed, so what was lost has to be asked for. UNVERIFIED: whether a retry
keeps its message id, the names and the zone of times, the word by which a return was received.

Some kinds name an order only by ShipHero's own id, which leads to it once another kind told both.
Whether a shipment is all of the order cannot be seen from it.
"""

from collections.abc import Mapping

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. The order number is that of ShipHero (`order_number`); if the shop writes it otherwise
   ("#1001"), set subject.normalize.
2. Register webhooks with webhook_create for Order Allocated, Order Deallocated, Order Packed Out,
   Shipment Update, Order Canceled and Return Update, each with this source's URL.
3. Each answer holds a shared_signature_secret: put all of them behind references in `secrets`.
4. Webhooks may be lost: compare the orders of the last days from time to time."""

SCHEME = Hmac(
    "x-shiphero-hmac-sha256", encoding="base64", what="the shared_signature_secret of a webhook"
)
MESSAGE = "X-Shiphero-Message-ID"
ANSWER = {"code": "200", "Message": "Success"}

PACKED = "fulfillment.packed"
KINDS: Mapping[str, Told] = {
    "Order Allocated": "fulfillment.picking",
    "Order Deallocated": "fulfillment.new",
    "Tote Complete": PACKED,
    "Order Packed Out": PACKED,
    "Package Added": PACKED,
    "Shipment Update": "fulfillment.shipped",
    "Order Canceled": "fulfillment.cancelled",
    "Return Update": Branch(
        "return_status || status || return.status", {"RECEIVED": "fulfillment.returned_to_stock"}
    ),
    "Inventory Update": "ignore: a quantity in stock is no status of an order",
    "Inventory Change": "ignore: a quantity in stock is no status of an order",
    "Automation Rules": "ignore: a rule that ran is no status",
    "Capture Payment": "ignore: it asks for a capture and says nothing about one",
    "PO Update": "ignore: a purchase is no order of a customer",
    "Tote Cleared": "ignore: an empty tote is no status",
    "test": "ignore: a test",
}

LAYOUT = Layout(
    title="ShipHero",
    says=(Says("test == '1' && 'test' || webhook_type", KINDS),),
    ref="fulfillment.order_number || order_number",
    key=(f"header:{MESSAGE}",),
    when="fulfillment.created_at || created_at || fulfillment.created_date || created_date",
    zone="UTC",
    parcel="fulfillment.shipment_id || shipment_id",
    aliases={
        "tracking": "fulfillment.tracking_number || tracking_number",
        "order:shiphero": "fulfillment.order_id || order_id",
        "uuid:shiphero": "fulfillment.order_uuid || order_uuid",
    },
    facts={
        "tracking_number": "fulfillment.tracking_number || tracking_number",
        "tracking_url": "fulfillment.tracking_url",
        "carrier": "fulfillment.shipping_carrier",
        "partner_order_id": "fulfillment.partner_order_id || partner_order_id",
    },
)

PRESET = Preset(
    name="shiphero",
    title="ShipHero",
    category="warehouse",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document(ANSWER))),
    scheme=SCHEME.summary,
    identity=MESSAGE,
    proof=Proof("none", "developer.shiphero.com, verifying webhooks"),
    doubts=(
        "Whether a retry keeps X-Shiphero-Message-ID is UNVERIFIED: confirm by refusing one.",
        (
            "The names and the zone of times are UNVERIFIED (created_at, created_date, UTC): "
            "confirm that events of each kind are not untimed, and set `timezone` if it is "
            "another."
        ),
        (
            "The word by which a return was received is UNVERIFIED: confirm on one Return Update; "
            "others are unmapped until you add them to `statuses`."
        ),
        (
            "Which kinds carry order_id beside order_number is UNVERIFIED: confirm that Order "
            "Packed Out does not wait for its order."
        ),
    ),
)
