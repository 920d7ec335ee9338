"""The lifecycle `invoice`: a bill that we wrote, as a document and as money owed."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule, Settlement
from service.domain.lifecycles.shorthand import any_of, lane, lanes

DOCUMENT = lane(
    "document",
    ("draft", 10, "any"),
    ("issued", 20, "higher"),
    ("sent", 30, "higher"),
    ("delivered", 40, "higher"),
    ("accepted", 50, "higher"),
    ("disputed", 60, ("accepted", "credited", "cancelled")),
    ("credited", 70, ()),
    ("cancelled", 80, ()),
)
# A direct debit that was booked as paid may bounce weeks later, and a debt that was written off
# may be paid after all.
PAYMENT = lane(
    "payment",
    ("open", 10, "any"),
    ("failed", 15, "any"),
    ("overdue", 20, "any"),
    ("partially_paid", 30, "any"),
    ("paid", 40, ("open", "failed", "partially_refunded", "refunded")),
    ("partially_refunded", 50, ("refunded",)),
    ("refunded", 60, ()),
    ("written_off", 70, ("partially_paid", "paid")),
    settlement=Settlement(
        returned="refunded",
        paid="paid",
        partly="partially_refunded",
        fully="refunded",
        restored="paid",
    ),
)

INVOICE = Lifecycle(
    name="invoice",
    lanes=lanes(DOCUMENT, PAYMENT),
    rules=(
        Rule((any_of("payment.refunded"),), "refunded"),
        Rule((any_of("document.credited"),), "credited"),
        Rule((any_of("document.cancelled"),), "cancelled"),
        Rule((any_of("payment.written_off"),), "written_off"),
        Rule((any_of("payment.partially_refunded"),), "partially_refunded"),
        Rule((any_of("payment.paid"),), "paid"),
        Rule((any_of("document.disputed"),), "disputed"),
        Rule((any_of("payment.overdue"),), "overdue"),
        Rule((any_of("payment.failed"),), "payment_failed"),
        Rule((any_of("payment.partially_paid"),), "partially_paid"),
        Rule((any_of("document.accepted"),), "accepted"),
        Rule((any_of("document.delivered"),), "delivered"),
        Rule((any_of("document.sent"),), "sent"),
        Rule((any_of("document.issued", "payment.open"),), "issued"),
    ),
    otherwise="draft",
    alarms=(
        Alarm(
            "paid_cancelled",
            "The invoice was cancelled and the money that came in was kept.",
            when=(
                any_of("document.cancelled"),
                any_of("payment.paid", "payment.partially_paid"),
            ),
        ),
        Alarm(
            "paid_draft",
            "Money came in for an invoice that was never issued.",
            when=(any_of("document.draft"), any_of("payment.paid", "payment.partially_paid")),
        ),
    ),
)
