"""The lifecycle `service_order`: a technician's visit, the parts it needs and its bill."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

WORK = lane(
    "work",
    ("requested", 10, "any"),
    ("scheduled", 20, "any"),
    ("dispatched", 30, "any"),
    ("en_route", 40, "any"),
    ("in_progress", 50, "any"),
    ("interrupted", 60, "any"),
    ("completed", 70, ("in_progress", "signed_off")),
    ("signed_off", 80, ()),
    ("cancelled", 90, ("requested",)),
)
PARTS = lane(
    "parts",
    ("needed", 10, "any"),
    ("ordered", 20, "any"),
    ("ready", 30, "any"),
    ("used", 40, ()),
)
BILLING = lane(
    "billing",
    ("to_invoice", 10, "any"),
    ("covered", 20, "any"),
    ("invoiced", 30, "any"),
    ("paid", 40, ("invoiced",)),
)

DONE = any_of("work.completed", "work.signed_off")

SERVICE_ORDER = Lifecycle(
    name="service_order",
    lanes=lanes(WORK, PARTS, BILLING),
    rules=(
        Rule((any_of("work.cancelled"),), "cancelled"),
        # Covered by a warranty or a contract: there is nothing left to pay.
        Rule((DONE, any_of("billing.paid", "billing.covered")), "closed"),
        Rule((DONE, any_of("billing.invoiced")), "invoiced"),
        Rule((DONE,), "completed"),
        Rule((any_of("work.interrupted"),), "interrupted"),
        Rule((any_of("work.in_progress"),), "in_progress"),
        Rule((any_of("work.en_route"),), "en_route"),
        Rule((any_of("work.dispatched"),), "dispatched"),
        Rule((any_of("parts.needed", "parts.ordered"),), "waiting_for_parts"),
        Rule((any_of("work.scheduled"),), "scheduled"),
    ),
    otherwise="requested",
    alarms=(
        Alarm(
            "sent_without_parts",
            "A technician is on his way although the parts are not there yet.",
            when=(
                any_of("work.dispatched", "work.en_route"),
                any_of("parts.needed", "parts.ordered"),
            ),
        ),
        Alarm(
            "cancelled_billed",
            "The visit was cancelled and is billed all the same.",
            when=(any_of("work.cancelled"), any_of("billing.invoiced", "billing.paid")),
        ),
    ),
)
