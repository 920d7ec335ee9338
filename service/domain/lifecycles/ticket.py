"""The lifecycle `ticket`: a customer's question or complaint, and the promise to answer in time."""

from service.domain.lifecycle import Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

WORK = lane(
    "work",
    ("new", 10, "any"),
    ("open", 20, "any"),
    ("in_progress", 30, "any"),
    ("waiting_for_customer", 40, "any"),
    ("on_hold", 50, "any"),
    ("resolved", 60, "any"),
    ("closed", 70, ("open",)),
    ("cancelled", 80, ("open",)),
)
SERVICE_LEVEL = lane(
    "service_level",
    ("on_track", 10, "any"),
    ("paused", 20, "any"),
    ("at_risk", 30, "any"),
    ("met", 40, "any"),
    ("breached", 50, ("on_track",)),
)

TICKET = Lifecycle(
    name="ticket",
    lanes=lanes(WORK, SERVICE_LEVEL),
    rules=(
        Rule((any_of("work.cancelled"),), "cancelled"),
        Rule((any_of("work.closed"),), "closed"),
        Rule((any_of("work.resolved"),), "resolved"),
        Rule((any_of("service_level.breached"),), "overdue"),
        Rule((any_of("work.on_hold"),), "on_hold"),
        Rule((any_of("work.waiting_for_customer"),), "waiting_for_customer"),
        Rule((any_of("work.in_progress"),), "in_progress"),
        Rule((any_of("work.open"),), "open"),
    ),
    otherwise="new",
)
