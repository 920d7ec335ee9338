"""The lifecycle `quality_case`: a defect, what becomes of the goods, and its corrective action."""

from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles.shorthand import any_of, lane, lanes

CASE = lane(
    "case",
    ("reported", 10, "any"),
    ("contained", 20, "any"),
    ("investigating", 30, "any"),
    ("acting", 40, "any"),
    ("verifying", 50, "any"),
    ("rejected", 60, ("investigating",)),
    ("closed", 70, ("investigating",)),
)
DISPOSITION = lane(
    "disposition",
    ("on_hold", 10, "any"),
    ("rework", 20, "any"),
    ("use_as_is", 30, ("on_hold",)),
    ("released", 40, ("on_hold",)),
    ("returned_to_supplier", 50, ()),
    ("scrapped", 60, ()),
)
ACTION = lane(
    "action",
    ("planned", 10, "any"),
    ("in_progress", 20, "any"),
    ("overdue", 30, "any"),
    ("implemented", 40, "any"),
    ("ineffective", 50, "any"),
    ("effective", 60, ("ineffective",)),
)

QUALITY_CASE = Lifecycle(
    name="quality_case",
    lanes=lanes(CASE, DISPOSITION, ACTION),
    rules=(
        Rule((any_of("case.rejected"),), "rejected"),
        Rule((any_of("case.closed"),), "closed"),
        Rule((any_of("action.effective"),), "verified"),
        Rule((any_of("action.ineffective"),), "ineffective"),
        Rule((any_of("action.overdue"),), "overdue"),
        Rule((any_of("case.verifying", "action.implemented"),), "verifying"),
        Rule((any_of("case.acting", "action.planned", "action.in_progress"),), "acting"),
        Rule((any_of("case.investigating"),), "investigating"),
        Rule((any_of("case.contained", "disposition.on_hold"),), "contained"),
    ),
    otherwise="reported",
    alarms=(
        Alarm(
            "closed_on_hold",
            "The case is over although its goods are still blocked.",
            when=(any_of("case.closed", "case.rejected"), any_of("disposition.on_hold")),
        ),
        Alarm(
            "closed_unfinished",
            "The case is closed although its corrective action is open or did not help.",
            when=(
                any_of("case.closed"),
                any_of(
                    "action.planned", "action.in_progress", "action.overdue", "action.ineffective"
                ),
            ),
        ),
    ),
)
