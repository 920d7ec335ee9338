"""Ship24: the trackings of an aggregator in, delivery statements out.

Facts from docs.ship24.com (test of the address by HEAD, grouping, milestones, fields; read 2026-11)
and the models of the client ship24 0.2.0 (PyPI). PARTIAL: that a webhook shows its secret as a
bearer token. UNVERIFIED: retries, and the zone of times that carry none.

Every event of a push is one statement, named by its own id.
"""

from collections.abc import Mapping

from service.intake.answering import handshakes, replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.provider import RawRequest, Reply
from service.intake.reading.layout import Layout, Says
from service.intake.verification.shared import Bearer

SETUP = """\
1. Send the shop's order number as `shipmentReference` when you create the tracker; without it the
   shop or warehouse must tell the tracking number with the order.
2. In Ship24 under Integrations, Webhook, enter this source's URL and copy the webhook secret.
3. Put the secret behind the reference in `secrets`."""

SCHEME = Bearer("the webhook secret")


def greet(request: RawRequest) -> Reply | None:
    """Answer the test of the address, without which it cannot be saved."""
    return replies.text("") if request.method in handshakes.READING else None


FAILED = "delivery.delivery_failed"
MILESTONES: Mapping[str, str] = {
    "pending": "ignore: the carrier has told nothing yet",
    "info_received": "delivery.label_created",
    "in_transit": "delivery.in_transit",
    "out_for_delivery": "delivery.out_for_delivery",
    "failed_attempt": FAILED,
    "available_for_pickup": "delivery.ready_for_pickup",
    "delivered": "delivery.delivered",
    "exception": FAILED,
}

LAYOUT = Layout(
    title="Ship24",
    items="trackings",
    inner=("events",),
    says=(Says("statusMilestone", MILESTONES),),
    ref="up.tracker.shipmentReference",
    key=("eventId",),
    when="occurrenceDatetime",
    zone="UTC",
    parcel="up.tracker.trackingNumber",
    reason="statusCode",
    aliases={"tracking": "up.tracker.trackingNumber", "tracker:ship24": "up.tracker.trackerId"},
    facts={
        "tracking_number": "up.tracker.trackingNumber",
        "carrier": "courierCode",
        "place": "location",
    },
)

PRESET = Preset(
    name="ship24",
    title="Ship24",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(greet=greet)),
    scheme=SCHEME.summary,
    identity="eventId",
    proof=Proof("none", "docs.ship24.com; the secret travels with the request"),
    doubts=(
        "The bearer token is PARTIAL (third parties): confirm that a live push is taken.",
        (
            "Times without a zone are UNVERIFIED to be UTC: confirm on a scan of a known moment, "
            "and set `timezone` if it is another."
        ),
    ),
)
