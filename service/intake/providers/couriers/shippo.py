"""Shippo: the tracks of a shipping API in, delivery statements out.

Facts from docs.goshippo.com (webhooks, webhook security, statuses; read 2026-11): the signature is
`t=…,v1=…` over time, a dot and the body, which Shippo's support enables on demand; without it a
token in the URL. RETURNED covers parcels that are on their way back as well as those that are back
(Shippo's own packages say so too), so that it is only taken for the way back. PARTIAL: retries, the
substatus of a parcel that waits to be picked up.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification import combined
from service.intake.verification.hmacs import Hmac
from service.intake.verification.shared import Query
from service.settings import Source

SETUP = """\
1. Let the shop or warehouse tell the tracking number with the order. Or write the order number into
   `metadata` when you buy the label or register the track, and set subject.ref to "data.metadata":
   it is free text, so that it is not read without. With words before the number set
   subject = { ref = "data.metadata", normalize = ["strip_prefix:Order "] }.
2. Ask Shippo's support to enable HMAC for your webhooks (up to ten working days), and put the
   secret they give you behind the reference in `secrets`.
3. Until then: options = { proof = "token" }, a long random text (openssl rand -hex 32) behind the
   reference in `secrets`, and allow_from with the addresses Shippo publishes.
4. In Shippo under Settings, API, Webhooks, add this source's URL (with ?token=… at its end for the
   token) and the event track_updated."""

SIGNED = Hmac("Shippo-Auth-Signature", "{time}.{body}", pairs=("t", "v1"))
TOKEN = Query("token")


def chosen(source: Source) -> int:
    """Say which proof a source wants: what is signed, unless it says otherwise."""
    return int(source.options.get("proof") == "token")


SCHEME = combined.any_of(SIGNED, TOKEN, when=chosen)

UPDATED = "track_updated"
STATUS = "data.tracking_status.status"
SUBSTATUS = "data.tracking_status.substatus.code"
STATUSES: Mapping[str, str] = {
    "UNKNOWN": "ignore: the carrier has told nothing yet",
    "PRE_TRANSIT": "delivery.label_created",
    "TRANSIT": "delivery.in_transit",
    "package_accepted": "delivery.picked_up",
    "out_for_delivery": "delivery.out_for_delivery",
    "pickup_available": "delivery.ready_for_pickup",
    "DELIVERED": "delivery.delivered",
    "RETURNED": "delivery.returning",
    "FAILURE": "delivery.delivery_failed",
}
FINER = "['package_accepted', 'out_for_delivery', 'pickup_available']"
"""Substatuses of TRANSIT that say more than it does."""
WORD = (
    f"{STATUS} == 'TRANSIT' && contains({FINER}, {SUBSTATUS}) && {SUBSTATUS}"
    f" || event == '{UPDATED}' && {STATUS} || event"
)

LAYOUT = Layout(
    title="Shippo",
    says=(
        Says(
            WORD,
            STATUSES,
            ours=(UPDATED, *"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
            called="status of a track of Shippo",
        ),
    ),
    # What is in `metadata` is whatever somebody wrote; the tracking number leads to the order.
    ref="`null`",
    key=(
        "event",
        "data.carrier",
        "data.tracking_number",
        f"data.tracking_status.object_id || {STATUS}",
        "data.tracking_status.status_date",
    ),
    when="data.tracking_status.status_date",
    zone="UTC",
    parcel="data.tracking_number",
    reason=SUBSTATUS,
    aliases={"tracking": "data.tracking_number", "label:shippo": "data.transaction"},
    facts={
        "tracking_number": "data.tracking_number",
        "carrier": "data.carrier",
        "place": "data.tracking_status.location.city",
    },
)

PRESET = Preset(
    name="shippo",
    title="Shippo",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=f"{SIGNED.summary}; or a token in the query string",
    identity="carrier, tracking number, status and its time",
    proof=Proof("foreign", "altissimo-shippo-tracking 0.2.1 (PyPI)"),
    doubts=(
        "The substatus `pickup_available` and retries are PARTIAL: confirm on a live track.",
        "The city of a status is PARTIAL: confirm tracking_status.location.city on a live track.",
    ),
    options=("proof",),
)
