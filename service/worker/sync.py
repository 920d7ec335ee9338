"""One owed sync: what to say to the destination, and what its answer means for what is owed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import assert_never

from service.domain import keys, retry
from service.domain.drift import Difference
from service.domain.law import State
from service.domain.verdict import DeadLetter, Done, Reason, Retry, Verdict
from service.settings import Destination
from service.store.syncs import Held, Owed
from service.worker.crms.base import Answer, Change, Class

MARGIN = timedelta(seconds=5)
PAUSE = timedelta(seconds=1)
"""Before what was not even tried is tried again."""
QUICK_CONFLICTS = 3
"""So often a record that changed meanwhile is read again at once."""
CREATED_LATER = timedelta(seconds=15)
"""How long a CRM may take to find a record it has made: searches lag behind."""
PUT_OFF = timedelta(minutes=1)
"""So long at most an order waits that was tried in vain while its destination is out of order: long
enough that probes are about others meanwhile."""
AT_LAST: Mapping[Class, Reason] = {
    Class.UNKNOWN_OUTCOME: Reason.UNKNOWN_OUTCOME,
    Class.NOT_FOUND: Reason.NOT_FOUND,
}
"""Why it is dead when it ended so until its retry rule said that it is enough."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is written until a person decides, or the record shows what it should."""

    why: Held
    difference: dict[str, Difference]
    summary: str


End = Verdict | Hold
"""What became of one version of one subject at a destination."""


def change(owed: Owed) -> Change:
    """The state the destination should show; built from rows only, so that it can be repeated."""
    state = State.from_json(owed.state)
    return Change(
        subject=owed.subject,
        status=owed.status,
        previous=owed.told_previous,
        lanes=state.lanes_view,
        attributes=state.attributes_view,
        version=owed.version,
        event_ids=owed.told_event_ids,
        occurred_at=owed.occurred_at,
        changed_at=owed.changed_at,
        key=keys.idempotency_key(owed.lease.destination, owed.subject, owed.version),
    )


def judge(
    answer: Answer,
    owed: Owed,
    *,
    rule: Destination,
    jitter: float,
    others_tried: bool = False,
    shut: bool = False,
) -> Verdict:
    """What happens next; `jitter` in [0, 1) spreads the retries of many syncs.

    `others_tried`: what was left out of its batch for the sake of another one may go at once.
    `shut`: the destination as a whole is out of order, which is no fault of this one.
    """
    if not answer.tried:
        return Retry(answer.after or (timedelta() if others_tried else PAUSE), free=True)
    match answer.kind:
        case Class.OK:
            return Done()
        case Class.RATE | Class.AUTH | Class.HUMAN:
            return Retry(_rest(answer, owed, rule=rule, jitter=jitter), free=True)
        case Class.CONFLICT if owed.attempts < QUICK_CONFLICTS:
            return Retry(timedelta())
        case Class.TRANSIENT | Class.CONFLICT | Class.UNKNOWN_OUTCOME:
            ours = not shut or answer.kind is Class.CONFLICT
            later = _again if ours else _put_off
            return later(answer, owed, rule=rule, jitter=jitter)
        case Class.NOT_FOUND | Class.GONE | Class.PERMANENT:
            return _refused(answer, owed, rule=rule, jitter=jitter)
        case _:
            assert_never(answer.kind)


def _refused(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> Verdict:
    name = rule.name
    if answer.kind is Class.GONE:
        return DeadLetter(Reason.GONE, f"{name} says its address is gone for good (410).")
    if answer.kind is Class.PERMANENT:
        return DeadLetter(Reason.REFUSED, f"{name} refuses {owed.subject}: {answer.detail}")
    if rule.on_missing == "dead_letter":
        return DeadLetter(Reason.NOT_FOUND, f"{name} has no {owed.subject}.")
    return _again(answer, owed, rule=rule, jitter=jitter)


def _again(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> Verdict:
    verdict = retry.schedule(
        rule.retry,
        attempts=owed.attempts + 1,
        failing_for=owed.failing_for,
        after=answer.after,
        jitter=jitter,
    )
    if isinstance(verdict, DeadLetter):
        reason = AT_LAST.get(answer.kind, verdict.reason)
        return DeadLetter(reason, f"{rule.name}: {verdict.summary}; last: {answer.detail}")
    return verdict


def _put_off(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> Verdict:
    pause = min(_growing(owed, rule=rule, jitter=jitter), PUT_OFF)
    asked = min(answer.after or timedelta(), rule.retry.max_age)
    return Retry(max(pause, asked), free=True)


def _rest(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> timedelta:
    """As long as was asked for; else as long again as it has been too fast."""
    if answer.kind is not Class.RATE:
        return PAUSE  # the destination pauses as a whole
    if answer.after is not None:
        return min(answer.after, rule.retry.max_age)
    return _growing(owed, rule=rule, jitter=jitter)


def _growing(owed: Owed, *, rule: Destination, jitter: float) -> timedelta:
    """As long again as it has been failing."""
    longest = min(max(rule.retry.first, owed.failing_for), rule.retry.max)
    return longest * (0.5 + jitter / 2)


def longest(rule: Destination) -> timedelta:
    """How long one exchange may last: a call, its repetition with a new token, and a margin."""
    return 2 * rule.timeout + MARGIN


def lease_time(rule: Destination) -> timedelta:
    """How long a lease runs: one exchange and a margin, so that it always fits."""
    return longest(rule) + MARGIN
