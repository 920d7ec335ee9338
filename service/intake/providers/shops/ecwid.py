"""Ecwid (Lightspeed E-Series): thin webhooks about orders in, statements about orders out.

Facts from docs.ecwid.com (how to process webhooks; read 2026-11): the signature covers only
`eventCreated` and `eventId`, deliveries count for 200, 201, 202, 204 and 209 only, 27 tries in 24
hours, no order of arrival. UNVERIFIED: whether a repeat keeps eventId, the values of both statuses,
the fields of an order beyond them.

The rest of the body could be anybody's, so nothing of it is believed: the order is asked for.
"""

import re

from service.domain.events import Lookup
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.pointing import Pointing
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. Make an app for the store (custom apps page of the Ecwid admin) with the scope read_orders.
2. Give the app this source's URL as its webhook URL, for the events order.created and
   order.updated.
3. Put the app's client secret behind the reference in `secrets`, and its secret access token behind
   `token`: webhooks are signed too thinly to be believed, so each order is asked for.
4. A URL that fails for two weeks is blocked: check `orderhook sources refused` after the first
   one."""


def signed(request: RawRequest) -> bytes:
    """Write the two fields that are signed."""
    body = mapping.read(request.body)
    found = body if isinstance(body, dict) else {}
    created, event = (mapping.name(found.get(name)) for name in ("eventCreated", "eventId"))
    if created is None or event is None:
        raise Unreadable("It is not a webhook of Ecwid: it needs eventCreated and eventId.")
    return f"{created}.{event}".encode()


SCHEME = Hmac(
    "X-Ecwid-Webhook-Signature",
    encoding="base64",
    canonical=signed,
    what="the app's client secret",
)

POSTED = Layout(
    title="Ecwid",
    says=(
        Says(
            "eventType",
            {
                "order.created": "look up",
                "order.updated": "look up",
                "order.deleted": "ignore: the order keeps its last status",
            },
            ours=("order.",),
        ),
    ),
    ref="`null`",
    # Only the id is signed: whoever alters the rest must not hide what was sent.
    key=("eventId", "eventType", "data.orderId || entityId"),
    when="eventCreated",
    lookup=(
        "order",
        "join('/', [to_string(storeId), 'orders', to_string(data.orderId || entityId)])",
    ),
)

PAYMENT = {
    "AWAITING_PAYMENT": "payment.awaiting_payment",
    "PAID": "payment.paid",
    "CANCELLED": "payment.cancelled",
    "REFUNDED": "payment.refunded",
    "PARTIALLY_REFUNDED": "payment.partially_refunded",
    "INCOMPLETE": "ignore: nobody has placed this order yet",
}
UNPLACED = "(paymentStatus == 'INCOMPLETE' && 'INCOMPLETE') || fulfillmentStatus"
FULFILLMENT = {
    "INCOMPLETE": "ignore: nobody has placed this order yet",
    "AWAITING_PROCESSING": "fulfillment.new",
    "PROCESSING": "fulfillment.picking",
    "READY_FOR_PICKUP": "delivery.ready_for_pickup",
    "SHIPPED": "fulfillment.shipped",
    "OUT_FOR_DELIVERY": "delivery.out_for_delivery",
    "DELIVERED": "delivery.delivered",
    "WILL_NOT_DELIVER": "fulfillment.cancelled",
    "RETURNED": "delivery.returned_to_sender",
}

ANSWERED = Layout(
    title="Ecwid",
    says=(Says("paymentStatus", PAYMENT), Says(UNPLACED, FULFILLMENT)),
    ref="id || orderNumber",
    key=("id || orderNumber", "updateDate", "paymentStatus", "fulfillmentStatus"),
    when="updateDate",
    aliases={"order:ecwid": "internalId || orderNumber", "tracking": "trackingNumber"},
    facts={"tracking_number": "trackingNumber"},
    amounts={"amount": Amount("total")},
    money=(MoneyAt("refunded", "refundedAmount"),),
)

_ORDER = re.compile(r"\d{1,20}/orders/[\w-]{1,64}", re.ASCII)


def ask(lookup: Lookup) -> Inquiry | None:
    return Inquiry(f"/{lookup.object_id}") if _ORDER.fullmatch(lookup.object_id) else None


def build(source: Source) -> Declared:
    reader = Pointing.of(POSTED, ANSWERED, source)
    return Declared(SCHEME.guard(source), reader, Manners(inquire=ask))


PRESET = Preset(
    name="ecwid",
    title="Ecwid (Lightspeed E-Series)",
    category="shop",
    setup=SETUP,
    build=build,
    scheme="HMAC-SHA256 of eventCreated and eventId, base64",
    identity="eventId, type and order",
    proof=Proof("none", "docs.ecwid.com"),
    doubts=(
        (
            "Whether a repeat keeps eventId is UNVERIFIED: confirm by answering one webhook with "
            "an error."
        ),
        (
            "Each change of a paid order says PAID anew, which puts one that was charged back to "
            "paid: confirm that another source tells of chargebacks last."
        ),
        (
            "The values of paymentStatus and fulfillmentStatus beyond AWAITING_PAYMENT and PAID "
            "are UNVERIFIED: confirm on orders of your store; unknown ones are dead letters."
        ),
        (
            "That an order names itself by id, internalId, updateDate, total, refundedAmount and "
            "trackingNumber is UNVERIFIED: confirm on the first look-up."
        ),
    ),
    api="https://app.ecwid.com/api/v3",
    asks=True,
)
