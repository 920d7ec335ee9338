"""EasyPost: the trackers of a shipping API in, delivery statements out.

Facts from the documentation and the SDKs (PyPI easypost 10.7.0, npm @easypost/api; read 2026-11):
signature, key normalised by NFKD, `evt_…` as identity, statuses. PARTIAL: a second signature
(`X-Hmac-Signature-V2`) is only known from third parties, and is not judged. UNVERIFIED: whether a
time without a known zone is UTC or local.

A tracker tells its whole history each time; only the event's own status is read, at the time of
the newest scan. A return whose last scan says delivered is back at the sender.
"""

import unicodedata
from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. In EasyPost under Webhooks, add one with this source's URL and a webhook secret.
2. Put the webhook secret behind the reference in `secrets`.
3. A tracker names no order: let the shop or warehouse tell the tracking number with the order, or
   set subject.ref to where you put the order number."""


def normalised(secret: bytes) -> bytes:
    """Take the key as EasyPost's own code does."""
    return unicodedata.normalize("NFKD", secret.decode("utf-8", "replace")).encode()


SCHEME = Hmac(
    "X-Hmac-Signature",
    prefix="hmac-sha256-hex=",
    derive=normalised,
    what="the webhook secret",
)

STATUSES: Mapping[str, Told] = {
    "unknown": "ignore: the carrier has told nothing yet",
    "pre_transit": "delivery.label_created",
    "in_transit": "delivery.in_transit",
    "out_for_delivery": "delivery.out_for_delivery",
    "available_for_pickup": "delivery.ready_for_pickup",
    "delivered": "delivery.delivered",
    "return_to_sender": Branch(
        "result.tracking_details[-1].status == 'delivered'",
        {"true": "delivery.returned_to_sender", "false": "delivery.returning"},
        absent="delivery.returning",
    ),
    "failure": "delivery.delivery_failed",
    "cancelled": "ignore: the label was cancelled, which is no word about the order",
    "error": "ignore: the tracker failed, not the parcel",
}

LAYOUT = Layout(
    title="EasyPost",
    says=(
        Says(
            "description",
            {
                "tracker.created": Branch("result.status", STATUSES),
                "tracker.updated": Branch("result.status", STATUSES),
            },
            ours=("tracker.",),
        ),
    ),
    # A tracker names no order; the tracking number leads to it.
    ref="`null`",
    key=("id",),
    when="max(result.tracking_details[].datetime) || result.updated_at || created_at",
    zone="UTC",
    parcel="result.tracking_code",
    aliases={"tracking": "result.tracking_code", "shipment:easypost": "result.shipment_id"},
    facts={
        "tracking_number": "result.tracking_code",
        "tracking_url": "result.public_url",
        "carrier": "result.carrier",
        "place": "result.tracking_details[-1].tracking_location.city",
    },
)

PRESET = Preset(
    name="easypost",
    title="EasyPost",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof("sdk", "easypost 10.7.0 (PyPI)"),
    doubts=(
        "X-Hmac-Signature-V2 is PARTIAL (third parties): confirm that X-Hmac-Signature comes too.",
        "Times without a zone are UNVERIFIED to be UTC: confirm on a scan of a known moment.",
    ),
)
