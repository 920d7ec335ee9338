"""One owed sync: what to say to the destination, and what its answer means for what is owed."""

from datetime import timedelta
from typing import assert_never

from service.domain import keys, retry
from service.domain.law import State
from service.domain.verdict import DeadLetter, Done, Reason, Verdict
from service.settings import Destination
from service.store.syncs import Owed
from service.worker.crms.base import Answer, Change, Class


def change(owed: Owed) -> Change:
    """The state the destination should show; built from rows only, so that it can be repeated."""
    state = State.from_json(owed.state)
    return Change(
        subject=owed.subject,
        status=owed.status,
        previous=owed.previous,
        lanes=state.lanes_view,
        attributes=state.attributes_view,
        version=owed.version,
        event_ids=owed.event_ids,
        occurred_at=owed.occurred_at,
        changed_at=owed.changed_at,
        key=keys.idempotency_key(owed.lease.destination, owed.subject, owed.version),
    )


def judge(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> Verdict:
    """What happens next; `jitter` in [0, 1) spreads the retries of many syncs."""
    match answer.kind:
        case Class.OK:
            return Done()
        case Class.TRANSIENT | Class.RATE | Class.CONFLICT | Class.UNKNOWN_OUTCOME:
            return _again(answer, owed, rule=rule, jitter=jitter)
        case Class.NOT_FOUND if rule.on_missing != "dead_letter":
            return _again(answer, owed, rule=rule, jitter=jitter)
        case Class.NOT_FOUND:
            return DeadLetter(Reason.NOT_FOUND, f"{rule.name} has no {owed.subject}.")
        case Class.GONE:
            return DeadLetter(Reason.GONE, f"{rule.name} says its address is gone for good (410).")
        case Class.AUTH | Class.PERMANENT:
            return DeadLetter(
                Reason.REFUSED, f"{rule.name} refuses {owed.subject}: {answer.detail}"
            )
        case _:
            assert_never(answer.kind)


def _again(answer: Answer, owed: Owed, *, rule: Destination, jitter: float) -> Verdict:
    verdict = retry.schedule(
        rule.retry,
        attempts=owed.attempts + 1,
        failing_for=owed.failing_for,
        after=answer.after,
        jitter=jitter,
    )
    if isinstance(verdict, DeadLetter):
        return DeadLetter(verdict.reason, f"{rule.name}: {verdict.summary}; last: {answer.detail}")
    return verdict


def lease_time(rule: Destination) -> timedelta:
    """How long a lease runs: two calls and a margin, so that one call always fits."""
    return 2 * rule.timeout + timedelta(seconds=10)


def state_while_waiting(answer: Answer) -> str:
    """The bucket of the ledger in which a sync waits for its next try."""
    return "no_record" if answer.kind is Class.NOT_FOUND else "pending"
