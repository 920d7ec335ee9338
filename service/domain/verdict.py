"""What happens next to work that was tried: the only three answers there are."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Reason(StrEnum):
    """Why a dead letter is dead; stable codes, shown to people with a summary and a remedy."""

    UNREADABLE = "unreadable"
    UNMAPPED = "unmapped"
    UNRESOLVED_SUBJECT = "unresolved_subject"
    LOOKUP_FAILED = "lookup_failed"
    POISON = "poison"
    REFUSED = "refused"
    NOT_FOUND = "not_found"
    AMBIGUOUS_RECORD = "ambiguous_record"
    NOT_CONFIGURED = "not_configured"
    GONE = "gone"
    RETRIES_EXHAUSTED = "retries_exhausted"
    UNKNOWN_OUTCOME = "unknown_outcome"


@dataclass(frozen=True, slots=True)
class Done:
    """The effect stands."""


@dataclass(frozen=True, slots=True)
class Retry:
    """Owed still; try again after the delay, or after the schedule's own delay when None."""

    after: timedelta | None = None
    free: bool = False
    """It was not at fault: no attempt is counted."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Trying again cannot help; a person must look."""

    reason: Reason
    summary: str


Verdict = Done | Retry | DeadLetter
