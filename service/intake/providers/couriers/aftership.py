"""AfterShip Tracking: the trackings of an aggregator in, delivery statements out.

Facts from aftership.com/docs/tracking (signature, event, retries, tags; read 2026-11): header, raw
body, `event_id`, up to 14 tries. The times of checkpoints may lack a zone, so that the time of the
event itself counts, and only the tag of the tracking is read. PARTIAL: that the subtag
Exception_011 means that the parcel is back (third parties agree), and the city of a checkpoint. The
other products (Returns, Warranty, Shipping) sign in other headers and are not read here.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. Send the shop's order number as `order_number` when you create the tracking; without it the shop
   or warehouse must tell the tracking number with the order.
2. In AfterShip Tracking under Settings, Webhooks, add this source's URL, enable the tags you
   follow, and copy the webhook secret.
3. Put the webhook secret behind the reference in `secrets`."""

SCHEME = Hmac("aftership-hmac-sha256", encoding="base64", what="the webhook secret")

UPDATE = "tracking_update"
FAILED = "delivery.delivery_failed"
TAGS: Mapping[str, Told] = {
    "Pending": "ignore: the carrier has told nothing yet",
    "InfoReceived": "delivery.label_created",
    "InTransit": "delivery.in_transit",
    "OutForDelivery": "delivery.out_for_delivery",
    "AvailableForPickup": "delivery.ready_for_pickup",
    "AttemptFail": FAILED,
    "Delivered": "delivery.delivered",
    "Exception": Branch(
        "msg.subtag == 'Exception_011' && 'back' || msg.return_to_sender",
        {"back": "delivery.returned_to_sender", "true": "delivery.returning", "false": FAILED},
        absent=FAILED,
    ),
    "Expired": "ignore: the carrier has told nothing for a long time, which is no word of a loss",
    "edd_revise": "ignore: another day of delivery is no status",
    "tracking_pending_time": "ignore: that nothing was told for some time is no status",
}

LAYOUT = Layout(
    title="AfterShip",
    says=(
        Says(f"event == '{UPDATE}' && msg.tag || event", TAGS, called="tag or event of AfterShip"),
    ),
    ref="msg.order_number || msg.order_id",
    key=("event_id",),
    when="ts",
    zone="UTC",
    parcel="msg.tracking_number",
    reason="msg.subtag",
    aliases={"tracking": "msg.tracking_number", "tracking:aftership": "msg.id"},
    facts={
        "tracking_number": "msg.tracking_number",
        "carrier": "msg.slug",
        "place": "msg.checkpoints[-1].city",
    },
)

PRESET = Preset(
    name="aftership",
    title="AfterShip Tracking",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="event_id",
    proof=Proof("none", "aftership.com/docs/tracking, webhook signature"),
    doubts=(
        (
            "The subtag Exception_011 (back at the sender) is PARTIAL (third parties agree): "
            "confirm on a parcel that came back."
        ),
        "The city of a checkpoint is PARTIAL: confirm msg.checkpoints[].city on a live tracking.",
    ),
)
