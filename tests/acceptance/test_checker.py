"""The checker itself: a proof that cannot fail proves nothing."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.acceptance.checker import BUCKETS, Evidence, violations
from tests.acceptance.reference import Said, lanes, overall
from tests.acceptance.senders import Attempt, Post, Witness

AT = datetime(2026, 2, 1, tzinfo=UTC)
PAID = Said("stripe-eu", "evt_1", "1001", "payment", "paid", AT)
EMPTY = dict.fromkeys(BUCKETS, 0)


def witness(status: int | None = 202) -> Witness:
    seen = Witness({}, lambda: "")
    answer = {"events": 1, "duplicates": 0} if status == 202 else {}
    seen.attempts.append(Attempt(Post("stripe-eu", b"", (PAID,)), status, answer))
    return seen


def call(**overrides: Any) -> dict[str, Any]:
    usual = {"number": 0, "effect": "applied", "subject": "order/1001", "version": 1}
    return {**usual, "key": "crm:order/1001:1", "detail": "", **overrides}


def evidence(**overrides: Any) -> Evidence:
    counts = {**EMPTY, "accepted": 1, "applied": 1}
    ledger = {
        "balanced": True,
        "incomplete": False,
        "misplaced": [],
        "totals": counts,
        "sources": {"stripe-eu": counts},
        "destinations": {
            "crm": {"owed": 1, "synced": 1, "pending": 0, "no_record": 0, "held": 0, "dead": 0}
        },
        "requests": {"stripe-eu": {"accepted": 1, "duplicate": 0}},
    }
    order = {"subject": "order/1001", "status": "paid", "lanes": {"payment": "paid"}}
    usual: dict[str, Any] = {
        "ledger": ledger,
        "events": [{"source": "stripe-eu", "dedupe_key": "evt_1"}],
        "orders": [order],
        "calls": [call()],
    }
    return Evidence(**{**usual, **overrides})


def kinds(seen: Witness, shown: Evidence, **options: Any) -> set[str]:
    return {found.kind for found in violations(seen, shown, **options)}


def test_a_road_without_a_fault_has_no_violation() -> None:
    assert [] == violations(witness(), evidence(), wasted=False)


def test_an_acknowledged_event_that_is_nowhere_is_lost() -> None:
    assert "lost" in kinds(witness(), evidence(events=[]))


def test_an_order_that_the_crm_does_not_have_is_lost() -> None:
    assert "lost" in kinds(witness(), evidence(orders=[]))


def test_an_event_that_was_refused_is_a_phantom() -> None:
    assert "phantom" in kinds(witness(401), evidence())


def test_an_event_without_an_answer_may_be_in_but_not_twice() -> None:
    twice = evidence(events=[{"source": "stripe-eu", "dedupe_key": "evt_1"}] * 2)
    assert set() == kinds(witness(None), evidence())
    assert "twice" in kinds(witness(None), twice)


def test_a_status_that_the_law_does_not_give_is_wrong() -> None:
    order = {"subject": "order/1001", "status": "new", "lanes": {}}
    assert "wrong" in kinds(witness(), evidence(orders=[order]))


@pytest.mark.parametrize(
    ("kind", "second"),
    [
        ("dup_effect", call()),
        ("dup_effect", call(key="another")),
        ("stale", call(version=0, key="crm:order/1001:0")),
        ("corrupt", call(effect="corrupt")),
        ("wasted", call(effect="repeated")),
    ],
)
def test_a_call_that_must_not_be_is_found(kind: str, second: dict[str, Any]) -> None:
    assert kind in kinds(witness(), evidence(calls=[call(), second]), wasted=False)


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("unbalanced", ("balanced",), False),
        ("unbalanced", ("totals", "applied"), 0),
        ("unbounded", ("totals", "pending"), 1),
        ("unbounded", ("destinations", "crm", "synced"), 0),
        ("dead", ("totals", "dead"), 1),
        ("miscounted", ("sources", "stripe-eu", "accepted"), 2),
        ("miscounted", ("requests", "stripe-eu", "duplicate"), 1),
        ("miscounted", ("destinations", "crm", "owed"), 2),
    ],
)
def test_a_ledger_that_does_not_add_up_is_found(
    kind: str, path: tuple[str, ...], value: object
) -> None:
    shown = evidence()
    table = shown.ledger
    for step in path[:-1]:
        table[step] = dict(table[step])  # rows of the same counts are one object here
        table = table[step]
    table[path[-1]] = value
    assert kind in kinds(witness(), shown)


def test_the_reference_does_not_mind_the_order_of_arrival() -> None:
    failed = Said("stripe-eu", "evt_0", "1001", "payment", "failed", AT.replace(day=2))
    late = Said("courier", "c", "1001", "delivery", "in_transit", None)
    told = [PAID, failed, late]
    assert {"payment": "paid", "delivery": "in_transit"} == lanes(told) == lanes(told[::-1])
    assert "in_transit" == overall(lanes(told))
