"""TrackingMore: the trackings of an aggregator in, delivery statements out.

Facts from TrackingMore's page about webhooks V4 (read 2026-11): HMAC-SHA256 of the time alone, in
hexadecimal, with a worked example, and up to 14 tries. The page says that the body is signed, its
code and example that it is not. UNVERIFIED: the names of the two headers, the fields of the body
and the meaning of `pickup`, which are those third parties read. V2 signs with the e-mail of the
account and is not read.

The body is not protected: whoever sees one request can send others until its time is too old.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Send the shop's order number as `order_number` when you create the tracking; without it the shop
   or warehouse must tell the tracking number with the order.
2. In TrackingMore under Developer, Webhooks, add this source's URL (https) and choose V4.
3. Put the webhook secret behind the reference in `secrets`.
4. The signature does not cover the body, so keep the URL to yourself and set `allow_from` if
   TrackingMore tells you its addresses."""

SCHEME = Hmac("signature", message="{time}", time="header:timestamp", what="the webhook secret")

FAILED = "delivery.delivery_failed"
NOTHING = "ignore: the carrier has told nothing yet"
STATUSES: Mapping[str, str] = {
    "pending": NOTHING,
    "notfound": NOTHING,
    "inforeceived": "delivery.label_created",
    "transit": "delivery.in_transit",
    "pickup": "delivery.out_for_delivery",
    "delivered": "delivery.delivered",
    "undelivered": FAILED,
    "exception": FAILED,
    "expired": "ignore: nothing was told for a long time, which is no word of a loss",
}

LAYOUT = Layout(
    title="TrackingMore",
    says=(Says("data.delivery_status", STATUSES),),
    ref="data.order_number",
    key=(
        "data.tracking_number",
        "data.courier_code",
        "data.delivery_status",
        "data.substatus",
        "data.latest_checkpoint_time",
    ),
    when="data.latest_checkpoint_time",
    zone="UTC",
    parcel="data.tracking_number",
    reason="data.substatus",
    aliases={"tracking": "data.tracking_number"},
    facts={"tracking_number": "data.tracking_number", "carrier": "data.courier_code"},
)

PRESET = Preset(
    name="trackingmore",
    title="TrackingMore",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="tracking number, carrier, status and the time of the newest checkpoint",
    proof=Proof("vector", "TrackingMore's page about webhooks V4"),
    doubts=(
        (
            "The names of the headers (`signature`, `timestamp`) are UNVERIFIED: confirm that a "
            "live push is taken."
        ),
        (
            "That the body is not signed is what the example shows and the text denies: confirm "
            "with TrackingMore."
        ),
        (
            "The fields and words of the body are UNVERIFIED: confirm one push of each "
            "delivery_status; `pickup` may also mean that the parcel waits to be collected."
        ),
        "Times without a zone are UNVERIFIED to be UTC: confirm on a scan of a known moment.",
    ),
)
