"""The lifecycle `order`: what a shop sold, from the first click to the last refund."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule, Settlement
from service.domain.lifecycles.shorthand import any_of, lane, lanes

PAYMENT = lane(
    "payment",
    ("awaiting_payment", 10, "any"),
    ("authorized", 20, "any"),
    ("failed", 25, "any"),
    ("cancelled", 27, ("authorized", "paid")),
    ("paid", 30, ("partially_refunded", "chargeback", "refunded")),
    ("partially_refunded", 40, ("chargeback", "refunded")),
    ("chargeback", 45, ("paid", "refunded")),
    ("refunded", 50, ("chargeback",)),
    settlement=Settlement(
        returned="refunded",
        paid="paid",
        partly="partially_refunded",
        fully="refunded",
        restored="paid",
    ),
)
FULFILLMENT = lane(
    "fulfillment",
    ("new", 10, "higher"),
    ("picking", 20, "higher"),
    ("packed", 30, "higher"),
    ("partially_shipped", 35, "higher"),
    ("shipped", 40, "higher"),
    ("cancelled", 60, ("picking", "packed", "shipped")),
    ("returned_to_stock", 70, ()),
    partly={"shipped": "partially_shipped"},
)
DELIVERY = lane(
    "delivery",
    ("label_created", 10, "any"),
    ("picked_up", 20, "any"),
    ("in_transit", 30, "any"),
    ("ready_for_pickup", 40, "any"),
    ("out_for_delivery", 45, "any"),
    ("delivery_failed", 50, "any"),
    ("returning", 60, ("in_transit", "lost", "returned_to_sender")),
    ("lost", 80, "any"),
    ("delivered", 90, ("returning", "returned_to_sender")),
    ("returned_to_sender", 95, ()),
    # A label for the way back is not yet a return, and a lost return is nobody's delivery.
    backward={
        "picked_up": "returning",
        "in_transit": "returning",
        "ready_for_pickup": "returning",
        "out_for_delivery": "returning",
        "delivery_failed": "returning",
        "returning": "returning",
        "delivered": "returned_to_sender",
        "returned_to_sender": "returned_to_sender",
    },
)
SALE = lane(
    "order",
    ("new", 10, "any"),
    ("confirmed", 20, "any"),
    ("completed", 80, ("cancelled",)),
    ("cancelled", 90, ()),
)

# A label is only paper; every later word of the courier, or of the warehouse, means goods left.
SHIPPED = any_of(
    "fulfillment.partially_shipped",
    "fulfillment.shipped",
    *(f"delivery.{name}" for name in DELIVERY.statuses if name != "label_created"),
)

# Part of the money went back, the order itself goes on.
PAID = any_of("payment.paid", "payment.partially_refunded")

ON_THE_WAY = any_of(
    "delivery.picked_up",
    "delivery.in_transit",
    "delivery.ready_for_pickup",
    "delivery.out_for_delivery",
)
BACK = any_of("delivery.returned_to_sender", "fulfillment.returned_to_stock")
COMING_BACK = BACK | any_of("delivery.returning")

ORDER = Lifecycle(
    name="order",
    lanes=lanes(PAYMENT, FULFILLMENT, DELIVERY, SALE),
    rules=(
        Rule((any_of("payment.chargeback", "payment.refunded"),), "refunded"),
        Rule((BACK,), "returned"),
        Rule((any_of("delivery.returning"),), "returning"),
        Rule((any_of("order.cancelled", "fulfillment.cancelled"),), "cancelled", unless=SHIPPED),
        Rule((any_of("delivery.lost", "delivery.delivery_failed"),), "delivery_problem"),
        Rule((any_of("order.completed"),), "completed"),
        Rule((any_of("delivery.delivered"),), "delivered"),
        Rule((any_of("delivery.out_for_delivery"),), "out_for_delivery"),
        Rule((any_of("delivery.ready_for_pickup"),), "ready_for_pickup"),
        Rule((any_of("delivery.picked_up", "delivery.in_transit"),), "in_transit"),
        Rule((any_of("fulfillment.shipped", "fulfillment.partially_shipped"),), "shipped"),
        Rule((any_of("payment.failed", "payment.cancelled"),), "payment_failed"),
        Rule((any_of("fulfillment.packed"),), "ready_to_ship"),
        Rule((any_of("fulfillment.picking"),), "picking"),
        Rule((any_of("order.confirmed"), PAID), "processing"),
        Rule((PAID,), "paid"),
        Rule((any_of("payment.awaiting_payment", "payment.authorized"),), "awaiting_payment"),
    ),
    otherwise="new",
    # An alarm needs both sides of its contradiction to be known: a shop without a payment source
    # would otherwise have every order flagged as unpaid.
    alarms=(
        Alarm(
            "shipped_unpaid",
            "Goods left although the payment is open, failed or cancelled.",
            when=(
                SHIPPED,
                any_of("payment.awaiting_payment", "payment.failed", "payment.cancelled"),
            ),
            unless=COMING_BACK,
        ),
        Alarm(
            "shipped_cancelled",
            "Goods left although the order was cancelled; stop the parcel or ask for it back.",
            when=(SHIPPED, any_of("order.cancelled")),
            unless=COMING_BACK,
        ),
        Alarm(
            "shipped_refunded",
            "The money went back while the goods are still on their way to the customer.",
            when=(ON_THE_WAY, any_of("payment.refunded", "payment.chargeback")),
            unless=any_of("fulfillment.returned_to_stock"),
        ),
        Alarm(
            "warehouse_cancelled",
            "The courier has the goods although the warehouse says that it cancelled them.",
            when=(
                ON_THE_WAY | any_of("delivery.delivery_failed", "delivery.delivered"),
                any_of("fulfillment.cancelled"),
            ),
        ),
        Alarm(
            "delivered_unshipped",
            "The parcel was delivered although the warehouse never said that it left.",
            when=(
                any_of("delivery.delivered"),
                any_of("fulfillment.new", "fulfillment.picking", "fulfillment.packed"),
            ),
        ),
        Alarm(
            "completed_undelivered",
            "The order is closed as completed although its parcel is lost or coming back.",
            when=(
                any_of("order.completed"),
                any_of("delivery.delivery_failed", "delivery.returning", "delivery.lost"),
            ),
            unless=any_of("payment.refunded"),
        ),
        Alarm(
            "cancelled_paid",
            "The order was cancelled and the whole payment was kept.",
            when=(any_of("order.cancelled"), any_of("payment.paid")),
        ),
    ),
)
