"""Sendcloud: the parcels of a shipping aggregator in, delivery and fulfilment statements out.

Facts from sendcloud.dev (webhooks of v2 and v3, tracking statuses; read 2026-11): signature with a
published example, payload, milliseconds, names of statuses. PARTIAL: the numbers of the statuses,
which two independent clients copied alike from the live list (read 2026-11); a number that is not
among them is unmapped. UNVERIFIED: retries, and that a return says `is_return`.

There is no id of an event: the parcel, its status and the time name it.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. In Sendcloud under Settings, Integrations, open the integration and put this source's URL there
   as the webhook URL; every integration has its own.
2. Put the integration's Secret Key, or its Webhook Signature Key where it has one, behind the
   reference in `secrets`; of several integrations list them all.
3. The order number is `parcel.order_number`, as the shop told it to Sendcloud.
4. Compare GET /parcels/statuses of your account with the statuses here: a number that is missing
   is a dead letter (unmapped) until `statuses` names it, as in "62998" = "delivery.in_transit".
5. A cancelled label moves nothing, as another may be made. Where it means that the order was
   cancelled, set statuses."2000" to fulfillment.cancelled."""

SCHEME = Hmac(
    "Sendcloud-Signature",
    what="the integration's Secret Key or Webhook Signature Key",
)

CHANGED = "parcel_status_changed"
MOVING = "delivery.in_transit"
FAILED = "delivery.delivery_failed"
STATUSES: Mapping[str, str] = {
    "1": "delivery.label_created",
    "3": MOVING,
    "4": FAILED,
    "5": MOVING,
    "6": MOVING,
    "7": MOVING,
    "8": FAILED,
    "11": "delivery.delivered",
    "12": "delivery.ready_for_pickup",
    "13": "delivery.label_created",
    "15": FAILED,
    "22": "delivery.picked_up",
    "80": FAILED,
    "91": MOVING,
    "92": "delivery.out_for_delivery",
    "93": "delivery.delivered",
    "94": "ignore: the label was to be cancelled and was not",
    "999": "ignore: there is no label yet",
    "1000": "fulfillment.packed",
    "1001": "delivery.label_created",
    "1002": FAILED,
    "1337": "ignore: Sendcloud does not know the carrier's word",
    "1998": "ignore: a label that was cancelled upstream is told once more as cancelled",
    "1999": "ignore: a cancellation is only asked for",
    "2000": "ignore: a label was cancelled, which is no word about the order",
    "2001": "ignore: a cancellation is only asked for",
    "62989": MOVING,
    "62990": MOVING,
    "62991": FAILED,
    "62992": "delivery.returned_to_sender",
    "62996": FAILED,
    "62997": FAILED,
}
"""By the number of the status; what failed (announcement, address, delay) says so in `reason`."""

LAYOUT = Layout(
    title="Sendcloud",
    says=(
        Says(
            f"action == '{CHANGED}' && parcel.status.id || action",
            STATUSES,
            ours=(*"0123456789", CHANGED),
            called="number of a status of Sendcloud",
        ),
    ),
    ref="parcel.order_number",
    key=("action", "parcel.id", "parcel.status.id", "timestamp"),
    when="carrier_status_change_timestamp || timestamp",
    parcel="parcel.tracking_number",
    returns="parcel.is_return",
    reason="parcel.status.message",
    aliases={
        "tracking": "parcel.tracking_number",
        "parcel:sendcloud": "parcel.id",
        "shipment:sendcloud": "parcel.shipment_uuid",
    },
    facts={
        "tracking_number": "parcel.tracking_number",
        "tracking_url": "parcel.tracking_url",
        "carrier": "parcel.carrier.code",
        "external_order_id": "parcel.external_order_id",
    },
)

PRESET = Preset(
    name="sendcloud",
    title="Sendcloud",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the parcel, its status and the time",
    proof=Proof("vector", "sendcloud.dev, webhooks, the example"),
    doubts=(
        (
            "The numbers of statuses are PARTIAL (two clients agree; Sendcloud's own sample calls "
            "1 `Ready to send`, its list `Announced`): confirm them with GET /parcels/statuses."
        ),
        "Retries are UNVERIFIED: confirm that a repeated request carries the same timestamp.",
        "`parcel.is_return` is UNVERIFIED: confirm it on a return before you trust one.",
    ),
)
