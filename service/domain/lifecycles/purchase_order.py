"""The lifecycle `purchase_order`: what we buy, from its approval to the supplier's bill."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

APPROVAL = lane(
    "approval",
    ("draft", 10, "any"),
    ("submitted", 20, "any"),
    ("rejected", 30, ("draft", "submitted", "approved")),
    ("approved", 40, ("draft", "submitted", "rejected")),
)
SUPPLIER = lane(
    "supplier",
    ("sent", 10, "any"),
    ("change_proposed", 20, "any"),
    ("confirmed", 30, "any"),
    ("declined", 40, ("sent", "confirmed", "cancelled")),
    ("closed", 80, ("confirmed",)),
    ("cancelled", 90, ()),
)
RECEIPT = lane(
    "receipt",
    ("announced", 10, "any"),
    ("in_transit", 20, "any"),
    ("partially_received", 30, ("in_transit", "received", "returned")),
    ("received", 40, ("returned",)),
    ("returned", 50, ("received",)),
    partly={"received": "partially_received"},
)
BILLING = lane(
    "billing",
    ("partially_invoiced", 10, "any"),
    ("invoiced", 20, "any"),
    ("blocked", 30, "any"),
    ("paid", 40, ("credited",)),
    ("credited", 50, ("invoiced", "paid")),
)

ARRIVED = any_of("receipt.partially_received", "receipt.received")

PURCHASE_ORDER = Lifecycle(
    name="purchase_order",
    lanes=lanes(APPROVAL, SUPPLIER, RECEIPT, BILLING),
    rules=(
        Rule((any_of("supplier.cancelled"),), "cancelled", unless=ARRIVED),
        Rule((any_of("supplier.closed"),), "closed"),
        Rule((any_of("receipt.received"), any_of("billing.paid")), "completed"),
        Rule((any_of("receipt.returned"),), "returned"),
        Rule((any_of("billing.blocked"),), "invoice_blocked"),
        Rule((any_of("receipt.received"), any_of("billing.invoiced")), "invoiced"),
        Rule((any_of("receipt.received"),), "received"),
        Rule((any_of("receipt.partially_received"),), "partially_received"),
        Rule((any_of("supplier.declined"),), "declined"),
        Rule((any_of("receipt.announced", "receipt.in_transit"),), "in_transit"),
        Rule((any_of("supplier.change_proposed"),), "change_proposed"),
        Rule((any_of("supplier.confirmed"),), "confirmed"),
        Rule((any_of("supplier.sent"),), "sent"),
        Rule((any_of("approval.rejected"),), "rejected"),
        Rule((any_of("approval.approved"),), "approved"),
        Rule((any_of("approval.submitted"),), "awaiting_approval"),
    ),
    otherwise="draft",
    alarms=(
        Alarm(
            "received_unapproved",
            "Goods arrived for an order that nobody approved.",
            when=(
                ARRIVED,
                any_of("approval.draft", "approval.submitted", "approval.rejected"),
            ),
        ),
        Alarm(
            "received_cancelled",
            "Goods arrived although the order was cancelled or the supplier declined it.",
            when=(ARRIVED, any_of("supplier.cancelled", "supplier.declined")),
        ),
        Alarm(
            "billed_cancelled",
            "The supplier bills an order that was cancelled or that they declined.",
            when=(
                any_of("supplier.cancelled", "supplier.declined"),
                any_of(
                    "billing.partially_invoiced",
                    "billing.invoiced",
                    "billing.blocked",
                    "billing.paid",
                ),
            ),
            unless=ARRIVED,
        ),
    ),
)
