"""The lifecycle `task`: something one person has to do, by some day."""

from service.domain.lifecycle import Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

WORK = lane(
    "work",
    ("open", 10, "any"),
    ("in_progress", 20, "any"),
    ("deferred", 30, "any"),
    ("blocked", 40, "any"),
    ("in_review", 50, "any"),
    ("done", 60, ("open", "in_progress")),
    ("cancelled", 70, ("open",)),
)
DEADLINE = lane(
    "deadline",
    ("on_time", 10, "any"),
    ("due_soon", 20, "any"),
    ("overdue", 30, "any"),
)

TASK = Lifecycle(
    name="task",
    lanes=lanes(WORK, DEADLINE),
    rules=(
        Rule((any_of("work.cancelled"),), "cancelled"),
        Rule((any_of("work.done"),), "done"),
        Rule((any_of("deadline.overdue"),), "overdue"),
        Rule((any_of("work.blocked"),), "blocked"),
        Rule((any_of("work.deferred"),), "deferred"),
        Rule((any_of("work.in_review"),), "in_review"),
        Rule((any_of("work.in_progress"),), "in_progress"),
    ),
    otherwise="open",
)
