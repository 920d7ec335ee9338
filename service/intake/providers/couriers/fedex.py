"""FedEx Advanced Integrated Visibility: the scans of parcels in, delivery statements out.

Facts from developer.fedex.com (webhook, FAQ, codes of tracking; read 2026-11): header, HMAC with
our own security token, 200 or 202 only, three retries in a quarter of an hour. The prose of FedEx
says hex, its sample and its FAQ base64; base64 is taken. PARTIAL: customer references.

A push carries shipments with all their scans, out of order and again and again; every scan is an
event of its own, named by tracking number, time, codes and place. The groups of codes overlap: CA
only cancels where both fields of the scan say so, and then the label, not the order.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.verification.hmacs import Hmac

SETUP = """\
1. FedEx names no order: let the shop or warehouse tell the tracking number with the order. Where
   your reference is in the payload, set subject.ref to it; the scan is the document there, its
   shipment is under `up`, the whole body under `root`.
2. In the FedEx developer portal make a webhook project (Advanced Integrated Visibility) with this
   source's URL: https, a host name, at most 200 characters.
3. Put the security token you choose there (openssl rand -hex 32) behind the reference in `secrets`.
4. FedEx posts a test when the project is made; what is no tracking is shown as unreadable."""

SCHEME = Hmac("fdx-signature", encoding="base64", what="the security token of the webhook project")


def _each(target: str, codes: str) -> Mapping[str, str]:
    return dict.fromkeys(codes.split(), target)


VOIDED = "ignore: a shipment was cancelled before it left, which is no word about the order"
CODES: Mapping[str, Told] = {
    "OC": "delivery.label_created",
    **_each("delivery.picked_up", "PU PX"),
    **_each(
        "delivery.in_transit",
        "AA AC AD AF AO AP AR AX DP DR DS EA ED EO EP FD IT IX LO OF Ow OX PF PL PM SF TR CH CC CP "
        "SP",
    ),
    "OD": "delivery.out_for_delivery",
    **_each("delivery.ready_for_pickup", "HL HP"),
    "DL": "delivery.delivered",
    **_each("delivery.delivery_failed", "DD DE DY SE CD PD"),
    "RS": "delivery.returning",
    "CA": Branch("derivedStatusCode", {"CA": VOIDED}),
    **_each("ignore: a wish for the delivery is no status", "RR RM RC"),
    **_each("ignore: a label for a return that was sent by mail is no status", "RP LP RG RD"),
    **_each("ignore: it says nothing about where the parcel is", "SH CU BR TP"),
}

LAYOUT = Layout(
    title="FedEx",
    items="output.completeTrackResults",
    inner=("trackResults", "scanEvents"),
    says=(Says("eventType || derivedStatusCode", CODES, called="code of a scan of FedEx"),),
    # A scan names no order; the tracking number leads to it.
    ref="`null`",
    key=(
        "up.up.trackingNumber",
        "date",
        "eventType",
        "derivedStatusCode",
        "scanLocation.city || scanLocation.postalCode",
    ),
    when="date",
    parcel="up.up.trackingNumber",
    reason="exceptionDescription",
    aliases={"tracking": "up.up.trackingNumber"},
    facts={"tracking_number": "up.up.trackingNumber", "place": "scanLocation.city"},
)

PRESET = Preset(
    name="fedex",
    title="FedEx Advanced Integrated Visibility",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="tracking number, time, codes and place of a scan",
    proof=Proof("none", "developer.fedex.com, Advanced Integrated Visibility"),
    doubts=(
        "FedEx's prose says hex and its sample base64: confirm that the first webhook is taken.",
        (
            "The fields of a scan's place and exception are PARTIAL: confirm scanLocation.city and "
            "exceptionDescription on a live push."
        ),
        (
            "The test FedEx posts when the project is made has an UNVERIFIED shape: confirm that "
            "it is shown and answered 202."
        ),
    ),
)
