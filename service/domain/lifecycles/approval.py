"""The lifecycle `approval`: what somebody asked leave for, the answer, and whether it was done."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

DECISION = lane(
    "decision",
    ("draft", 10, "any"),
    ("submitted", 20, "any"),
    ("in_review", 30, "any"),
    ("sent_back", 40, "any"),
    ("expired", 50, ("submitted",)),
    ("withdrawn", 60, ("submitted",)),
    ("rejected", 70, ("submitted",)),
    ("approved", 80, ("revoked",)),
    ("revoked", 90, ()),
)
EXECUTION = lane(
    "execution",
    ("pending", 10, "any"),
    ("failed", 20, "any"),
    ("carried_out", 30, ()),
)

APPROVAL = Lifecycle(
    name="approval",
    lanes=lanes(DECISION, EXECUTION),
    rules=(
        Rule((any_of("decision.revoked"),), "revoked"),
        Rule((any_of("decision.rejected"),), "rejected"),
        Rule((any_of("decision.withdrawn"),), "withdrawn"),
        Rule((any_of("decision.expired"),), "expired"),
        Rule((any_of("decision.approved"), any_of("execution.carried_out")), "carried_out"),
        Rule((any_of("decision.approved"), any_of("execution.failed")), "execution_failed"),
        Rule((any_of("decision.approved"),), "approved"),
        Rule((any_of("decision.sent_back"),), "sent_back"),
        Rule((any_of("decision.in_review"),), "in_review"),
        Rule((any_of("decision.submitted"),), "submitted"),
    ),
    otherwise="draft",
    alarms=(
        Alarm(
            "carried_out_unapproved",
            "It was carried out although the last word on it is not an approval.",
            when=(
                any_of("execution.carried_out"),
                any_of(*(f"decision.{name}" for name in DECISION.statuses if name != "approved")),
            ),
        ),
    ),
)
