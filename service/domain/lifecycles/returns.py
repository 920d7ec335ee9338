"""The lifecycle `return`: goods that a customer sends back, and what they get for them."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule, Settlement
from service.domain.lifecycles.shorthand import any_of, lane, lanes

REQUEST = lane(
    "request",
    ("requested", 10, "any"),
    ("approved", 20, "any"),
    ("declined", 70, ("approved",)),
    ("cancelled", 80, ("requested", "approved")),
    ("closed", 90, ("approved",)),
)
GOODS = lane(
    "goods",
    ("label_created", 10, "any"),
    ("picked_up", 15, "any"),
    ("in_transit", 20, "any"),
    ("partially_received", 25, "higher"),
    ("received", 30, "higher"),
    ("inspecting", 40, "higher"),
    ("partially_accepted", 50, ("accepted", "rejected", "restocked", "scrapped", "sent_back")),
    ("accepted", 55, ("rejected", "restocked", "scrapped")),
    ("rejected", 60, ("accepted", "scrapped", "sent_back")),
    ("restocked", 70, ()),
    ("scrapped", 80, ()),
    ("sent_back", 85, ()),
    ("lost", 90, "any"),
    partly={"received": "partially_received"},
)
REFUND = lane(
    "refund",
    ("awaiting_refund", 10, "any"),
    ("failed", 15, "any"),
    ("partially_refunded", 20, ("credited", "exchanged", "refunded")),
    ("refused", 30, "any"),
    ("credited", 40, ("exchanged", "refunded")),
    ("exchanged", 50, ("credited", "refunded")),
    ("refunded", 60, ("failed",)),
    settlement=Settlement(
        returned="refunded",
        paid="paid",
        partly="partially_refunded",
        fully="refunded",
        restored="awaiting_refund",
    ),
)

ARRIVED = any_of(
    "goods.partially_received",
    "goods.received",
    "goods.inspecting",
    "goods.partially_accepted",
    "goods.accepted",
    "goods.restocked",
)
SETTLED = any_of("refund.refunded", "refund.credited", "refund.exchanged")

RETURN = Lifecycle(
    name="return",
    lanes=lanes(REQUEST, GOODS, REFUND),
    rules=(
        Rule((any_of("refund.refunded"),), "refunded"),
        Rule((any_of("refund.exchanged"),), "exchanged"),
        Rule((any_of("refund.credited"),), "credited"),
        Rule((any_of("refund.partially_refunded"),), "partially_refunded"),
        Rule((any_of("refund.failed"),), "refund_failed"),
        Rule((any_of("goods.sent_back"),), "sent_back"),
        Rule((any_of("goods.rejected", "refund.refused"),), "rejected"),
        Rule((any_of("request.closed"),), "closed"),
        Rule((any_of("request.declined"),), "declined", unless=ARRIVED),
        Rule((any_of("request.cancelled"),), "cancelled", unless=ARRIVED),
        Rule((any_of("goods.lost"),), "lost"),
        Rule(
            (
                any_of(
                    "goods.accepted",
                    "goods.partially_accepted",
                    "goods.restocked",
                    "goods.scrapped",
                ),
            ),
            "awaiting_refund",
        ),
        Rule((any_of("goods.inspecting"),), "inspecting"),
        Rule((any_of("goods.received", "goods.partially_received"),), "received"),
        Rule((any_of("goods.picked_up", "goods.in_transit"),), "in_transit"),
        Rule((any_of("request.approved", "goods.label_created"),), "approved"),
    ),
    otherwise="requested",
    alarms=(
        Alarm(
            "received_declined",
            "Goods arrived although the return was declined or cancelled.",
            when=(ARRIVED, any_of("request.declined", "request.cancelled")),
        ),
        Alarm(
            "refunded_rejected",
            "The customer was refunded although the goods or the return were turned down.",
            when=(SETTLED, any_of("goods.rejected", "goods.sent_back", "request.declined")),
        ),
    ),
)
