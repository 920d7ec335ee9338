"""ShipEngine, ShipStation API V2: the trackings of a shipping platform in, statements out.

Facts from docs.shipstation.com (webhook validation, payload schemas, codes of tracking; read
2026-11): headers, RSA-SHA256 over time, a dot and the body, key sets by `kid`, five minutes.
PARTIAL: that the time is written as ISO 8601, which several independent verifiers take it for;
unix seconds are taken as well. UNVERIFIED: retries.

There is no id of an event: tracking number, carrier, time of the newest scan and code name it.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.provider import RawRequest
from service.intake.reading.layout import Layout, Says
from service.intake.verification import combined
from service.intake.verification.publickeys import PublicKey
from service.settings import Source

SETUP = """\
1. A tracking names no order: let the shop or warehouse tell the tracking number with the order, or
   subscribe to fulfillment_shipped_v2 as well, which carries the shipment number.
2. Add a webhook with this source's URL and the event `track` (ShipEngine: Developer, Webhooks;
   ShipStation: POST /v2/environment/webhooks).
3. The public keys are fetched from api.shipengine.com; for an account in the EU set
   options = { region = "eu" }. Where the gateway may not reach them, put the key set (JSON) or a
   PEM behind a reference in `secrets`."""

KEY_SETS: Mapping[str, str] = {
    "us": "https://api.shipengine.com/jwks",
    "eu": "https://api.eu.shipengine.com/jwks",
}


def key_set(_: RawRequest, source: Source) -> str:
    """Say where the keys of a source's region are."""
    return KEY_SETS["eu" if source.options.get("region") == "eu" else "us"]


SIGNATURE = "x-shipengine-rsa-sha256-signature"
TIME = "header:x-shipengine-timestamp"
NAME_OF_KEY = "header:x-shipengine-rsa-sha256-key-id"
WHAT = "ShipEngine's key set or public key"
DATED = PublicKey(
    SIGNATURE,
    message="{time}.{body}",
    time=TIME,
    unit="iso",
    key_id=NAME_OF_KEY,
    fetched=key_set,
    what=WHAT,
)
COUNTED = PublicKey(
    SIGNATURE,
    message="{time}.{body}",
    time=TIME,
    key_id=NAME_OF_KEY,
    fetched=key_set,
    what=WHAT,
)
SCHEME = combined.any_of(DATED, COUNTED)


def _each(target: str, codes: str) -> Mapping[str, str]:
    return dict.fromkeys(codes.split(), target)


CODES: Mapping[str, str] = {
    **_each(
        "delivery.label_created",
        "SHIPMENT_CREATED AWAITING_PICKUP_DROP_OFF ELEC_ADVICE_RECD_BY_CARRIER "
        "NOT_YET_RECEIVED_BY_CARRIER NY",
    ),
    **_each(
        "delivery.picked_up",
        "PICKED_UP DROPPED_OFF RECEIVED_BY_CARRIER RECD_BY_CARRIER_NO_ELEC_ADVICE AC",
    ),
    **_each(
        "delivery.in_transit",
        "CUSTOMS_CLEARED CUSTOMS_PROCESSING DELIVERY_ARRANGED_WITH_RECIPIENT HUB_SCAN_OUT "
        "HUB_SCAN_IN IN_TRANSIT PARCEL_OVER_LABELLED RECEIVED_LOCAL_DELIVERY_DEPOT "
        "SUB_CONTRACTOR_EVENT SUB_CONTRACTOR_RECEIVED PARCEL_REDIRECTED "
        "PARCEL_REDIRECTED_BY_CARRIER DELIVERY_SCHEDULED HUB_PROCESSING DELIVERY_RESCHEDULED "
        "PARCEL_REPACKED DELIVERED_IN_PART IT",
    ),
    **_each("delivery.out_for_delivery", "OUT_FOR_DELIVERY"),
    **_each(
        "delivery.ready_for_pickup",
        "AWAITING_COLLECTION_FROM_PICKUP_POINT COLLECT_AT_LOCAL_PO "
        "CUSTOMER_TO_COLLECT_FROM_CARRIER DELIVERED_TO_PICKUP_POINT SP",
    ),
    **_each(
        "delivery.delivered",
        "DELIVERED DELIVERED_TO_RECEPTION DELIVERED_DAMAGED DELIVERED_SPECIFIED_SAFE_PLACE "
        "DELIVERED_TO_ALTERNATIVE_DELIVERY_LOCATION DELIVERED_TO_NEIGHBOUR DELIVERED_TO_PO_BOX "
        "PARCEL_COLLECTED_FROM_PICKUP_POINT PROOF_OF_DELIVERY DE",
    ),
    **_each(
        "delivery.delivery_failed",
        "ATTEMPTED_DELIVERY ATTEMPTED_DELIVERY_FINAL CUSTOMER_CARDED PICKUP_FAILED "
        "PARCEL_DAMAGED ADDRESS_QUERY CARRIER_DELAYS DELAYED_NOT_CARRIER HELD_BY_CARRIER "
        "HELD_BY_CARRIER_FOR_CLEARANCE_PRE_PROCESSING HELD_BY_CUSTOMS INCORRECT_DECLARATION "
        "MISROUTED COD_AMOUNT_NOT_PAID CUSTOMER_IDENTIFICATION_FAILED "
        "NO_ACCESS_TO_RECIPIENTS_ADDRESS CUSTOMER_MOVED HAZARDOUS_PROHIBITED "
        "NOT_COLLECTED_FROM_PICKUP_POINT NOT_DELIVERED NOT_DELIVERED_ADDRESSEE_DECEASED "
        "PARCEL_OUTSIDE_OF_SERVICE_CAPABILITY REFUSED_BY_CUSTOMER UNSPECIFIED_EXCEPTION "
        "DUTY_NOT_PAID EX AT",
    ),
    "RETURN_TO_SENDER": "delivery.returning",
    "UNDELIVERABLE_RETURNED_TO_SENDER": "delivery.returned_to_sender",
    **_each("delivery.lost", "PARCEL_LOST PARCEL_DISPOSED"),
    "CANCELLED": "ignore: a label was cancelled, which is no word about the order",
    **_each(
        "ignore: it says nothing about where the parcel is",
        "CARRIER_STATUS_NOT_MAPPED INFORMATION PARCEL_UPDATE_NOTIFICATION COD_AMOUNT_PAID "
        "TRACKING_EXPIRED POST_TRANSIT_STATUS UN",
    ),
    "FULFILLMENT_SHIPPED_V2": "fulfillment.shipped",
    **_each("ignore: a batch of labels is no status", "API_BATCH BATCH_PROCESSED_V2"),
}
"""By the detailed code; where there is none, by the short one (two letters) or the resource."""

WORD = "data.status_detail_code || data.status_code || resource_type"
NEWEST = "max((data.events || `[]`)[].occurred_at)"

LAYOUT = Layout(
    title="ShipEngine",
    says=(Says(WORD, CODES, called="code of a tracking of ShipEngine"),),
    ref="data.shipment_number || shipment_number",
    key=(
        "resource_type",
        "data.tracking_number || resource_url",
        "data.carrier_code",
        NEWEST,
        WORD,
    ),
    when=f"{NEWEST} || data.actual_delivery_date",
    zone="UTC",
    parcel="data.tracking_number",
    reason="data.exception_description",
    aliases={"tracking": "data.tracking_number"},
    facts={
        "tracking_number": "data.tracking_number",
        "tracking_url": "data.tracking_url",
        "carrier": "data.carrier_code",
        "place": "max_by(data.events, &occurred_at).city_locality",
    },
)


PRESET = Preset(
    name="shipengine",
    title="ShipEngine, ShipStation API V2",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme="RSA-SHA256 of time and body, with keys that are fetched",
    identity="tracking number, carrier, time of the newest scan and code",
    proof=Proof("none", "docs.shipstation.com, webhook validation"),
    doubts=(
        (
            "That x-shipengine-timestamp is ISO 8601 is PARTIAL (independent verifiers agree): "
            "confirm on the first webhook that it is not refused; unix seconds are taken as well."
        ),
        (
            "Where FULFILLMENT_SHIPPED_V2 carries shipment_number is UNVERIFIED: confirm that it "
            "is data.shipment_number or shipment_number."
        ),
        (
            "What FULFILLMENT_REJECTED_V2 means for the order is UNVERIFIED, so that it is "
            "unmapped: confirm it, then name it in `statuses`."
        ),
        "Retries are UNVERIFIED: confirm that a refused webhook comes again.",
    ),
    keyless=True,
    options=("region",),
)
