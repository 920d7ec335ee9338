"""What an answer of a destination means for what is owed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.events import Subject
from service.domain.law import fold
from service.domain.lifecycles import LIFECYCLES
from service.domain.verdict import DeadLetter, Done, Reason, Retry
from service.settings import Destination, RetryRule
from service.store.syncs import Lease, Owed
from service.worker import sync
from service.worker.crms.base import Answer, Class
from tests import make

RULE = Destination(
    name="crm",
    crm="callback",
    timeout=timedelta(seconds=10),
    retry=RetryRule(
        first=timedelta(seconds=8),
        max=timedelta(minutes=1),
        max_attempts=3,
        max_age=timedelta(hours=1),
    ),
)
PAID = make.event(attributes={"amount": "12.50"})
OWED = Owed(
    lease=Lease(subject_id=1, destination="crm", fence=1),
    subject=Subject("order", "eu", "1001"),
    status="paid",
    previous="awaiting_payment",
    version=4,
    state=fold(LIFECYCLES["order"], [PAID]).state.to_json(),
    event_ids=[PAID.id],
    changed_at=make.at(3),
    occurred_at=make.at(0),
    attempts=0,
    failing_for=timedelta(0),
)


def judge(kind: Class, *, owed: Owed = OWED, **answer: object) -> Done | Retry | DeadLetter:
    said = Answer(kind, "write", detail="it said so", **answer)  # type: ignore[arg-type]
    return sync.judge(said, owed, rule=RULE, jitter=0.5)


def test_ok_is_done() -> None:
    assert judge(Class.OK) == Done()


@pytest.mark.parametrize(
    "kind",
    [Class.TRANSIENT, Class.RATE, Class.CONFLICT, Class.UNKNOWN_OUTCOME, Class.NOT_FOUND],
)
def test_what_may_pass_is_tried_again_with_jittered_back_off(kind: Class) -> None:
    assert judge(kind) == Retry(timedelta(seconds=4))
    assert judge(kind, owed=replace(OWED, attempts=1)) == Retry(timedelta(seconds=8))


def test_the_wish_of_the_other_side_is_honoured() -> None:
    assert judge(Class.RATE, after=timedelta(seconds=30)) == Retry(timedelta(seconds=30))


@pytest.mark.parametrize(
    "owed",
    [replace(OWED, attempts=2), replace(OWED, failing_for=timedelta(hours=1))],
    ids=["attempts", "age"],
)
def test_a_limit_ends_in_a_dead_letter_that_names_the_last_answer(owed: Owed) -> None:
    verdict = judge(Class.TRANSIENT, owed=owed)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason is Reason.RETRIES_EXHAUSTED
    assert verdict.summary.startswith("crm: gave up")
    assert verdict.summary.endswith("last: it said so")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Class.PERMANENT, Reason.REFUSED),
        (Class.AUTH, Reason.REFUSED),
        (Class.GONE, Reason.GONE),
    ],
)
def test_what_cannot_pass_is_dead_at_once(kind: Class, reason: Reason) -> None:
    verdict = judge(kind)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason is reason


def test_a_missing_order_is_dead_where_the_configuration_says_so() -> None:
    rule = RULE.model_copy(update={"on_missing": "dead_letter"})
    verdict = sync.judge(Answer(Class.NOT_FOUND, "write"), OWED, rule=rule, jitter=0.5)
    assert verdict == DeadLetter(Reason.NOT_FOUND, "crm has no order/eu:1001.")


def test_a_change_is_built_from_rows_only_so_that_it_can_be_repeated() -> None:
    change = sync.change(OWED)
    assert change == sync.change(replace(OWED, attempts=7, failing_for=timedelta(days=1)))
    assert (change.key, change.lanes, change.attributes) == (
        "crm:order/eu:1001:4",
        {"payment": "paid"},
        {"amount": "12.50"},
    )


def test_a_lease_outlives_the_call_it_allows() -> None:
    assert sync.lease_time(RULE) >= 2 * RULE.timeout


def test_waiting_for_an_unknown_order_is_a_bucket_of_its_own() -> None:
    assert sync.state_while_waiting(Answer(Class.NOT_FOUND, "write")) == "no_record"
    assert sync.state_while_waiting(Answer(Class.TRANSIENT, "write")) == "pending"
