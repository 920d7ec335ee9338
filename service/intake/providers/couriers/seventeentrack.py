"""17TRACK: the trackings of an aggregator in, delivery statements out.

Statuses and sub-statuses from 17TRACK's help centre (read 2026-11). PARTIAL: the signature, on
which five and more independent implementations that quote the documentation of v2.2 and v2.4
agree, and the fields of the body. UNVERIFIED: retries, and what the test push on saving holds.

A push carries the whole history; only the newest status is read, at the time of the newest event.
"""

from collections.abc import Mapping

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.hashes import Digest

SETUP = """\
1. Send the shop's order number as `order_no` when you register a tracking number; without it the
   shop or warehouse must tell the tracking number with the order. `tag` is free text, so that it is
   not read: if you put the order number there, set subject.ref to "data.tag".
2. In 17TRACK's API console under Settings, Webhook, enter this source's URL and choose v2.2 or
   newer.
3. Put the API access key, which also signs, behind the reference in `secrets`."""

SCHEME = Digest("sign", "{body}/{secret}", what="the API access key")

UPDATED = "TRACKING_UPDATED"
NOTHING = "ignore: the carrier has told nothing yet"
STALE = "ignore: nothing was told for a long time, which is no word of a loss"
MOVING = "delivery.in_transit"
FAILED = "delivery.delivery_failed"
STATUSES: Mapping[str, str] = {
    **dict.fromkeys(("NotFound", "NotFound_Other", "NotFound_InvalidCode"), NOTHING),
    "InfoReceived": "delivery.label_created",
    "InTransit_PickedUp": "delivery.picked_up",
    **dict.fromkeys(
        (
            *("InTransit", "InTransit_Other", "InTransit_Departure", "InTransit_Arrival"),
            *("InTransit_CustomsProcessing", "InTransit_CustomsReleased"),
        ),
        MOVING,
    ),
    "InTransit_CustomsRequiringInformation": FAILED,
    **dict.fromkeys(("Expired", "Expired_Other"), STALE),
    **dict.fromkeys(
        ("AvailableForPickup", "AvailableForPickup_Other"), "delivery.ready_for_pickup"
    ),
    **dict.fromkeys(("OutForDelivery", "OutForDelivery_Other"), "delivery.out_for_delivery"),
    **dict.fromkeys(
        (
            *("DeliveryFailure", "DeliveryFailure_Other", "DeliveryFailure_NoBody"),
            *("DeliveryFailure_Security", "DeliveryFailure_Rejected"),
            "DeliveryFailure_InvalidAddress",
            *("Exception", "Exception_Other", "Exception_NoBody", "Exception_Security"),
            *("Exception_Damage", "Exception_Rejected", "Exception_Delayed"),
        ),
        FAILED,
    ),
    **dict.fromkeys(("Delivered", "Delivered_Other"), "delivery.delivered"),
    "Exception_Returning": "delivery.returning",
    "Exception_Returned": "delivery.returned_to_sender",
    "Exception_Lost": "delivery.lost",
    "Exception_Destroyed": "delivery.lost",
    "Exception_Cancel": "ignore: the parcel was cancelled, which is no word about the order",
    "TRACKING_STOPPED": "ignore: 17TRACK follows the parcel no longer, which is no status",
}

NEWEST = "data.track_info.latest_status"
WORD = f"event == '{UPDATED}' && ({NEWEST}.sub_status || {NEWEST}.status) || event"
WHEN = "data.track_info.latest_event.time_utc || data.track_info.latest_event.time_iso"

LAYOUT = Layout(
    title="17TRACK",
    says=(Says(WORD, STATUSES),),
    ref="data.order_no",
    key=("data.number", "data.carrier", WORD, WHEN),
    when=WHEN,
    zone="UTC",
    parcel="data.number",
    reason=f"{NEWEST}.sub_status",
    aliases={"tracking": "data.number"},
    facts={
        "tracking_number": "data.number",
        "carrier": "data.carrier",
        "place": "data.track_info.latest_event.location",
    },
)

PRESET = Preset(
    name="17track",
    title="17TRACK",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("OK"))),
    scheme=SCHEME.summary,
    identity="tracking number, carrier, newest sub-status and its time",
    proof=Proof("none", "implementations of others that quote the documentation of v2.2"),
    doubts=(
        "The signature is PARTIAL (third parties): confirm that a live push is taken.",
        "What the test push on saving holds is UNVERIFIED: confirm that the URL can be saved.",
        "Whether `order_no` comes back beside `tag` is PARTIAL: confirm on a registered parcel.",
        (
            "The fields of the body are PARTIAL: confirm latest_status and latest_event, also its "
            "location, on a live push."
        ),
    ),
)
