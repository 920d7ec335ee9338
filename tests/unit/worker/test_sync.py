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
    told_previous="awaiting_payment",
    told_event_ids=[PAID.id],
)


def judge(kind: Class, *, owed: Owed = OWED, **answer: object) -> Done | Retry | DeadLetter:
    said = Answer(kind, "write", detail="it said so", **answer)  # type: ignore[arg-type]
    return sync.judge(said, owed, rule=RULE, jitter=0.5)


def test_ok_is_done() -> None:
    assert judge(Class.OK) == Done()


@pytest.mark.parametrize(
    "kind",
    [Class.TRANSIENT, Class.UNKNOWN_OUTCOME, Class.NOT_FOUND],
)
def test_what_may_pass_is_tried_again_with_jittered_back_off(kind: Class) -> None:
    assert judge(kind) == Retry(timedelta(seconds=4))
    assert judge(kind, owed=replace(OWED, attempts=1)) == Retry(timedelta(seconds=8))


def test_the_wish_of_the_other_side_is_honoured() -> None:
    assert judge(Class.TRANSIENT, after=timedelta(seconds=30)) == Retry(timedelta(seconds=30))


def test_to_be_too_fast_costs_no_attempt() -> None:
    last = replace(OWED, attempts=RULE.retry.max_attempts)
    asked = judge(Class.RATE, owed=last, after=timedelta(seconds=30))
    assert asked == Retry(timedelta(seconds=30), free=True)


def test_who_stays_too_fast_waits_longer_and_longer() -> None:
    waits = [
        judge(Class.RATE, owed=replace(OWED, failing_for=timedelta(seconds=seconds)))
        for seconds in (0, 20, 40, 4000)
    ]
    assert waits == [Retry(timedelta(seconds=wait), free=True) for wait in (6, 15, 30, 45)]


@pytest.mark.parametrize("kind", [Class.AUTH, Class.HUMAN])
def test_what_only_a_person_can_mend_costs_no_attempt(kind: Class) -> None:
    last = replace(OWED, attempts=RULE.retry.max_attempts)
    assert judge(kind, owed=last) == Retry(sync.PAUSE, free=True)


@pytest.mark.parametrize("kind", list(Class))
def test_what_was_not_tried_is_given_back_free_of_charge(kind: Class) -> None:
    last = replace(OWED, attempts=RULE.retry.max_attempts)
    assert judge(kind, owed=last, tried=False) == Retry(sync.PAUSE, free=True)
    wait = timedelta(seconds=7)
    assert judge(kind, owed=last, tried=False, after=wait) == Retry(wait, free=True)


def test_what_was_left_out_for_the_sake_of_another_goes_at_once() -> None:
    said = Answer(Class.TRANSIENT, "write", tried=False)
    verdict = sync.judge(said, OWED, rule=RULE, jitter=0.5, others_tried=True)
    assert verdict == Retry(timedelta(0), free=True)


def test_a_record_that_changed_is_read_again_at_once_but_not_for_ever() -> None:
    patient = RULE.model_copy(update={"retry": RetryRule(max_attempts=9)})
    answer = Answer(Class.CONFLICT, "write")
    waits = [
        sync.judge(answer, replace(OWED, attempts=attempts), rule=patient, jitter=0.5)
        for attempts in (0, 2, 3)
    ]
    assert waits[:2] == [Retry(timedelta(0))] * 2
    assert isinstance(waits[2], Retry)
    assert waits[2].after


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


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (Class.UNKNOWN_OUTCOME, Reason.UNKNOWN_OUTCOME),
        (Class.NOT_FOUND, Reason.NOT_FOUND),
        (Class.CONFLICT, Reason.RETRIES_EXHAUSTED),
    ],
)
def test_at_last_the_reason_is_what_kept_it_from_being_done(kind: Class, reason: Reason) -> None:
    rule = RULE.model_copy(update={"retry": RetryRule(max_attempts=4)})
    said = Answer(kind, "write", detail="it said so")
    verdict = sync.judge(said, replace(OWED, attempts=3), rule=rule, jitter=0.5)
    assert isinstance(verdict, DeadLetter)
    assert verdict.reason is reason


@pytest.mark.parametrize("kind", [Class.TRANSIENT, Class.UNKNOWN_OUTCOME])
def test_while_the_destination_is_out_of_order_no_attempt_is_counted_and_nothing_dies(
    kind: Class,
) -> None:
    worn = replace(OWED, attempts=99, failing_for=timedelta(hours=2))
    said = Answer(kind, "write", detail="it said so")
    verdict = sync.judge(said, worn, rule=RULE, jitter=0.5, shut=True)
    assert verdict == Retry(timedelta(seconds=45), free=True)


def test_a_refusal_counts_even_while_the_destination_is_out_of_order() -> None:
    said = Answer(Class.PERMANENT, "write", detail="it said so")
    assert isinstance(sync.judge(said, OWED, rule=RULE, jitter=0.5, shut=True), DeadLetter)
