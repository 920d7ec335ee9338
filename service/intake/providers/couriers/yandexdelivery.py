"""Yandex Delivery: the claims of a courier in, delivery statements out.

Statuses from the official status model (several independent copies, read 2026-11); the entries of
the journal of claims and the document of a claim from the reference of the API. PARTIAL: callbacks
(no signature was found, and the address given to `callback_url` gets query parameters appended).
UNVERIFIED: what else a callback carries, and retries.

A claim is one attempt to deliver: that it was cancelled or failed says nothing about the order.
What names a claim without its status cannot be read: claims are asked about by POST, which is not
what a look-up does. So the journal of claims is what should be sent here.
"""

from collections.abc import Mapping

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.verification.shared import UrlToken

SETUP = """\
1. Send the shop's order number as `external_order_id` of the last route point when you create the
   claim, and tell the claim's id with the order, as its tracking number.
2. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
3. Let a small job of yours ask POST /b2b/cargo/integration/v2/claims/journal every minute with the
   last cursor, and post each answer as it is to this source's URL, a slash and the token; the
   documents of POST …/claims/info are read as well.
4. A cancelled claim moves nothing, as the order may be sent anew. To take it as a failed delivery,
   set statuses.cancelled to delivery.delivery_failed."""

SCHEME = UrlToken()

DRAWN_UP = "ignore: the claim is only drawn up, and no courier was asked for yet"
BOOKED = "delivery.label_created"
COMING = "delivery.out_for_delivery"
FAILED = "delivery.delivery_failed"
BACK = "delivery.returning"
ENDED = "ignore: the claim was cancelled and may be made anew, which is no word about the order"
EXPRESS: Mapping[str, str] = {
    **dict.fromkeys(("new", "estimating", "ready_for_approval"), DRAWN_UP),
    **dict.fromkeys(
        (
            *("accepted", "performer_lookup", "performer_draft", "performer_found"),
            *("pickup_arrived", "ready_for_pickup_confirmation"),
        ),
        BOOKED,
    ),
    "pickuped": "delivery.picked_up",
    **dict.fromkeys(("delivery_arrived", "ready_for_delivery_confirmation", "pay_waiting"), COMING),
    **dict.fromkeys(("delivered", "delivered_finish"), "delivery.delivered"),
    **dict.fromkeys(("returning", "return_arrived", "ready_for_return_confirmation"), BACK),
    **dict.fromkeys(("returned", "returned_finish"), "delivery.returned_to_sender"),
    **dict.fromkeys(("estimating_failed", "failed", "performer_not_found"), FAILED),
    **dict.fromkeys(
        (
            *("cancelled", "cancelled_with_payment", "cancelled_by_taxi"),
            "cancelled_with_items_on_hands",
        ),
        ENDED,
    ),
}
OTHER_DAY: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("DRAFT", "VALIDATING", "CREATED", "DELIVERY_PROCESSING_STARTED"),
            # The vendor's own spelling.
            *("DELIVERY_TRACK_RECIEVED", "DELIVERY_LOADED", "SORTING_CENTER_LOADED"),
            *("SORTING_CENTER_PROCESSING_STARTED", "SORTING_CENTER_TRACK_RECEIVED"),
            "SORTING_CENTER_TRACK_LOADED",
        ),
        BOOKED,
    ),
    "SORTING_CENTER_AT_START": "delivery.picked_up",
    **dict.fromkeys(
        (
            *("SORTING_CENTER_PREPARED", "SORTING_CENTER_TRANSMITTED", "DELIVERY_AT_START"),
            *("DELIVERY_AT_START_SORT", "DELIVERY_TRANSPORTATION"),
        ),
        "delivery.in_transit",
    ),
    "DELIVERY_TRANSPORTATION_RECIPIENT": COMING,
    **dict.fromkeys(
        (
            *("DELIVERY_ARRIVED_PICKUP_POINT", "CONFIRMATION_CODE_RECEIVED"),
            "DELIVERY_STORAGE_PERIOD_EXTENDED",
        ),
        "delivery.ready_for_pickup",
    ),
    **dict.fromkeys(
        ("DELIVERY_ATTEMPT_FAILED", "DELIVERY_STORAGE_PERIOD_EXPIRED", "VALIDATING_ERROR"), FAILED
    ),
    **dict.fromkeys(
        (
            *("DELIVERY_TRANSMITTED_TO_RECIPIENT", "DELIVERY_DELIVERED", "FINISHED"),
            "PARTICULARLY_DELIVERED",
        ),
        "delivery.delivered",
    ),
    **dict.fromkeys(
        (
            *("RETURN_PREPARING", "RETURN_TRANSPORTATION_STARTED", "RETURN_ARRIVED_DELIVERY"),
            *("RETURN_TRANSMITTED_FULFILMENT", "RETURN_READY_FOR_PICKUP"),
        ),
        BACK,
    ),
    "RETURN_RETURNED": "delivery.returned_to_sender",
    "SORTING_CENTER_RETURN_RETURNED": "delivery.returned_to_sender",
    "SORTING_CENTER_CANCELLED": ENDED,
    "CANCELLED": ENDED,
}

# An entry of the journal says what changed; the document of a claim only what it is.
WORD = "change_type && change_type != 'status_changed' && change_type || new_status || status"
CHANGES: Mapping[str, str] = {"price_changed": "ignore: the price of the claim is no status"}
CLAIM = "claim_id || id"

LAYOUT = Layout(
    title="Yandex Delivery",
    items="events || [@]",
    says=(Says(WORD, {**EXPRESS, **OTHER_DAY, **CHANGES}),),
    ref="route_points[?external_order_id].external_order_id | [-1]",
    key=(CLAIM, WORD, "updated_ts"),
    when="updated_ts",
    zone="UTC",
    parcel=CLAIM,
    # A claim is what shops write down where other couriers have a tracking number.
    aliases={"tracking": CLAIM, "claim:yandexdelivery": CLAIM},
    facts={"claim_id": CLAIM, "carrier": "'Yandex Delivery'"},
)

PRESET = Preset(
    name="yandexdelivery",
    title="Yandex Delivery",
    category="courier",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="claim, status and the time of its change",
    proof=Proof("none", "the reference of the API: nothing is signed"),
    doubts=(
        (
            "What a callback carries besides the claim in its address is UNVERIFIED: confirm with "
            "one, and send the journal of claims where it has no status."
        ),
        (
            "Words of other-day deliveries that begin with CANCELLED_, SORTING_CENTER_RETURN_ or "
            "DELIVERY_UPDATED_BY_ are PARTIAL and unmapped: confirm those you get, and add them to "
            "`statuses`."
        ),
        (
            "That the last route point with an `external_order_id` is the customer's is "
            "UNVERIFIED: confirm on one claim."
        ),
    ),
    url_token=True,
)
