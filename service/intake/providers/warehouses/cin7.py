"""Cin7 Core (DEAR): webhooks about the steps of a sale in, fulfilment statements out.

Kinds of events and `SaleOrderNumber` from help.core.cin7.com (read 2026-11; older pages spell
Authorised). PARTIAL: no signature was found, the shape of the body, and the address 23.96.51.98.
UNVERIFIED: headers that can be configured, times, retries.

No time is known, so events are untimed and only move the order forward, and the same words again
about the same sale are taken for a repeat. `Sale/Undo` does not say which step it takes back: it is
left to a person as unmapped.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.shared import UrlToken

SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
2. In Cin7 Core under Integrations, API, Webhooks, add one with this source's URL, a slash and the
   token for each event you follow (Sale/PickAuthorized, Sale/PackAuthorized,
   Sale/ShipmentAuthorized, Sale/Voided).
3. The order number is Cin7's (`SaleOrderNumber`, SO-00021). If the shop has another, let it tell
   Cin7's number as an alias, or set subject.ref to where yours is.
4. A credit note does not say that goods came back. Where it does with you, set
   statuses."Sale/CreditNoteAuthorized" to fulfillment.returned_to_stock."""

SCHEME = UrlToken()

PAID = "ignore: payments and documents of the sale are no status of the goods"
STEPS: Mapping[str, str] = {
    "OrderAuthorized": "fulfillment.new",
    "Backordered": "ignore: a backorder stays where it is",
    "PickAuthorized": "fulfillment.picking",
    "PackAuthorized": "fulfillment.packed",
    "ShipmentAuthorized": "fulfillment.shipped",
    "ShipmentTrackingNumberChanged": "delivery.label_created",
    "Voided": "fulfillment.cancelled",
    "CreditNoteAuthorized": "ignore: a credit note does not say that goods came back",
    **dict.fromkeys(
        (
            *("QuoteAuthorized", "InvoiceAuthorized", "PartialPaymentReceived"),
            "FullPaymentReceived",
        ),
        PAID,
    ),
}
PREFIX = "Sale/"
EVENTS: Mapping[str, str] = {
    f"{PREFIX}{spelled}": told
    for step, told in STEPS.items()
    for spelled in (step, step.replace("Authorized", "Authorised"))
}

LAYOUT = Layout(
    title="Cin7 Core",
    says=(Says("EventType", EVENTS, ours=(PREFIX,)),),
    ref="SaleOrderNumber",
    aliases={"order:cin7": "SaleID", "tracking": "TrackingNumber"},
    facts={"tracking_number": "TrackingNumber"},
)

PRESET = Preset(
    name="cin7",
    title="Cin7 Core (DEAR)",
    category="warehouse",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the whole body",
    proof=Proof("none", "help.core.cin7.com: no signature was found"),
    doubts=(
        (
            "That nothing is signed is PARTIAL: confirm that a live webhook carries no signature; "
            "a header you can configure is UNVERIFIED."
        ),
        (
            "Times are UNVERIFIED and none is read: confirm what a live webhook carries, and set "
            "`occurred_at` of a `generic` source if there is one."
        ),
        (
            "Whether two equal steps of one sale differ in their bodies is UNVERIFIED: confirm by "
            "authorising, undoing and authorising a shipment again."
        ),
        (
            "Where the tracking number stands is UNVERIFIED: confirm on "
            "Sale/ShipmentTrackingNumberChanged."
        ),
    ),
    url_token=True,
)
