"""project44: status updates of shipments in, delivery statements out.

PARTIAL (developers.project44.com and third parties, read 2026-11): how a webhook proves itself
(user and password, an API key or OAuth2, set up with project44's staff), that a push carries the
whole history of a shipment, and its shape. UNVERIFIED: the words of `statusCode`, retries. Events
that were filled in later bring no push, so what is missing has to be asked for.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.shared import Basic

SETUP = """\
1. Send the shop's order number as a shipment identifier of the type ORDER when you create the
   shipment in project44.
2. Choose a user and a password, and put `user:password` behind the reference in `secrets`.
3. Have project44 register the webhook (PUT /api/v4/webhooks) with this source's URL, the method
   POST and authType BASIC with that user and password.
4. Compare the shipments of the last days from time to time: late events bring no push."""

SCHEME = Basic("user:password, as registered with project44")

STATUSES: Mapping[str, str] = {
    "AT_STOP": "delivery.in_transit",
    "IN_TRANSIT": "delivery.in_transit",
    "OUT_FOR_DELIVERY": "delivery.out_for_delivery",
    "COMPLETED": "delivery.delivered",
    "CANCELED": "ignore: a shipment was cancelled and may be made anew; the order goes on",
    "TRACKING_FAILED": "ignore: the truck cannot be followed, which is no word about the goods",
}

IDENTIFIERS = "(root.shipment.shipmentIdentifiers || root.shipment.identifiers)"
SHIPMENT = f"root.shipment.id || {IDENTIFIERS}[0].value"
PRO = f"{IDENTIFIERS}[?type == 'PRO'].value | [0]"

LAYOUT = Layout(
    title="project44",
    items="statusUpdates || [latestStatusUpdate]",
    says=(Says("statusCode", STATUSES),),
    ref=f"{IDENTIFIERS}[?type == 'ORDER'].value | [0]",
    key=(SHIPMENT, "statusCode", "timestamp"),
    when="timestamp",
    zone="UTC",
    # An order may go in several shipments; the first one that arrives is not the whole.
    parcel=f"({PRO}) || root.shipment.id",
    reason="statusReason.code",
    aliases={
        "shipment:project44": "root.shipment.id",
        "tracking": PRO,
        "bol:project44": f"{IDENTIFIERS}[?type == 'BILL_OF_LADING'].value | [0]",
    },
    facts={"place": "address.city"},
)

PRESET = Preset(
    name="project44",
    title="project44",
    category="telematics",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="shipment, status code and time",
    proof=Proof("none", "developers.project44.com; the password travels with the request"),
    doubts=(
        (
            "The words of statusCode are UNVERIFIED: confirm each on a live push; others are "
            "unmapped until you add them to `statuses`."
        ),
        (
            "The shape of a push (shipment, statusUpdates with statusCode, timestamp, statusReason "
            "and address) is PARTIAL: confirm one push for each mode of transport you use."
        ),
        (
            "Whether CANCELED is about the shipment or the whole order is UNVERIFIED: confirm, "
            "and set statuses.CANCELED to fulfillment.cancelled where it ends the order."
        ),
    ),
)
