"""Events that only point at an object: their look-ups are owed, and answers of senders judged."""

from datetime import datetime, timedelta

from service.domain import retry
from service.domain.events import Lookup
from service.domain.retry import Limits
from service.domain.verdict import DeadLetter, Done, Reason, Verdict
from service.outbound import Answer, Missed
from service.settings import RetryRule
from service.store.owed_lookups import Owed
from service.worker.crms.client import parse_retry_after

LIMITS: Limits = RetryRule()
OK = range(200, 300)
NOT_YET = 3
"""Attempts for which an object that is not there may only be late."""
ABSENT = (404, 410)
PASSING = (408, 409, 425, 429)
LAST_OF_CLIENT = 499


def waiting_for(lookup: Lookup | None) -> str:
    return f"It only points at {named(lookup)}, which is looked up at the sender."


def named(lookup: Lookup | None) -> str:
    return f"the {lookup.kind} {lookup.object_id}" if lookup else "nothing"


def judge(answer: Answer | Missed, owed: Owed, *, now: datetime, jitter: float) -> Verdict:
    """What the sender's answer means for the look-up; a `Done` may still not be readable."""
    match answer:
        case Missed(forbidden=True):
            return failed(owed, answer.reason)
        case Missed():
            return again(owed, answer.reason, jitter=jitter)
        case Answer(status=status) if status in OK:
            return Done()
        case Answer(status=status):
            said = f"the sender's API answered {status}"
            if _passes(status, owed):
                after = parse_retry_after(answer.headers.get("retry-after"), now=now)
                return again(owed, said, jitter=jitter, after=after)
            return failed(owed, said)


def _passes(status: int, owed: Owed) -> bool:
    late = status in ABSENT and owed.attempts <= NOT_YET
    return status > LAST_OF_CLIENT or status in PASSING or late


def again(owed: Owed, said: str, *, jitter: float, after: timedelta | None = None) -> Verdict:
    """Try later, within the limits all look-ups have."""
    verdict = retry.schedule(
        LIMITS, attempts=owed.attempts, failing_for=owed.failing_for, after=after, jitter=jitter
    )
    if isinstance(verdict, DeadLetter):
        return failed(owed, f"{verdict.summary}; last: {said}")
    return verdict


def failed(owed: Owed, said: str) -> DeadLetter:
    why = f"Looking up {named(owed.lookup)} at {owed.source} failed: {said.rstrip('.')}."
    return DeadLetter(Reason.LOOKUP_FAILED, why)
