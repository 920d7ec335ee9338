"""Squarespace: thin notifications about orders in, statements about orders out.

Facts from developers.squarespace.com (webhook subscriptions; read 2026-11): the key is the secret
read as hexadecimal, the body is signed without a time, the notification's id, at least once and in
no order, up to 48 hours of repeats, a rotated secret ends the old one at once. UNVERIFIED: the
values of data.update, the fields of an order beyond orderNumber and fulfillmentStatus.
"""

import re

from service.domain.events import Lookup
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.reading.pointing import Pointing
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. Make an API key with the permission to read orders and put it behind the reference in `token`:
   notifications only name orders, the rest is asked for.
2. With an OAuth token make a webhook subscription (POST /1.0/webhook_subscriptions) with this
   source's URL for the topics order.create and order.update.
3. Put the secret it answers (hexadecimal, shown once) behind the reference in `secrets`. Rotating
   it ends the old one at once: list the new one first, then rotate.
4. Squarespace may delete a subscription after several failures: check `orderhook sources
   refused` and make it again if it is gone."""

SCHEME = Hmac("Squarespace-Signature", key="hex", what="the subscription's secret")

POSTED = Layout(
    title="Squarespace",
    says=(Says("topic", {"order.create": "look up", "order.update": "look up"}, ours=("order.",)),),
    ref="`null`",
    key=("id",),
    when="createdOn",
    lookup=("order", "data.orderId"),
)

WENT_BACK = "to_number(refundedTotal.value) > `0`"

ANSWERED = Layout(
    title="Squarespace",
    says=(
        Says(
            f"(fulfillmentStatus == 'PENDING' && {WENT_BACK} && 'REFUNDED') || fulfillmentStatus",
            {
                # Only what is paid becomes an order.
                "PENDING": "payment.paid",
                "REFUNDED": "facts",
                "FULFILLED": "fulfillment.shipped",
                "CANCELED": "order.cancelled",
            },
            called="fulfillmentStatus",
        ),
        Says(
            f"({WENT_BACK} && 'refunded') || 'kept'",
            {
                # The sums tell the law whether that was all of it.
                "refunded": "payment.partially_refunded",
                "kept": "ignore: nothing was given back",
            },
        ),
    ),
    ref="orderNumber",
    key=("id", "modifiedOn", "fulfillmentStatus", "refundedTotal.value"),
    # Told again at each change, being paid must not take a chargeback back.
    when=(
        f"(fulfillmentStatus == 'PENDING' && !({WENT_BACK}) && createdOn)"
        " || modifiedOn || createdOn"
    ),
    aliases={"order:squarespace": "id"},
    facts={"squarespace_order_id": "id", "test": "testmode"},
    amounts={"amount": Amount("grandTotal.value", "grandTotal.currency")},
    money=(MoneyAt("refunded", "refundedTotal.value", "refundedTotal.currency"),),
)

_ORDER = re.compile(r"[\w-]{1,64}", re.ASCII)


def ask(lookup: Lookup) -> Inquiry | None:
    if _ORDER.fullmatch(lookup.object_id) is None:
        return None
    # Without a User-Agent of its own a client is refused or slowed down.
    return Inquiry(f"/1.0/commerce/orders/{lookup.object_id}", headers={"User-Agent": "Orderhook"})


def build(source: Source) -> Declared:
    reader = Pointing.of(POSTED, ANSWERED, source)
    return Declared(SCHEME.guard(source), reader, Manners(inquire=ask))


PRESET = Preset(
    name="squarespace",
    title="Squarespace",
    category="shop",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the notification's id",
    proof=Proof("none", "developers.squarespace.com"),
    doubts=(
        "That a new order is always paid is UNVERIFIED: confirm with a payment that is made later.",
        "grandTotal, refundedTotal and modifiedOn of an order are UNVERIFIED: confirm on a refund.",
        (
            "A notification carries no signed time: confirm that the URL is https, for a recorded"
            " one can be sent again, and only its id stops it."
        ),
    ),
    api="https://api.squarespace.com",
    asks=True,
)
