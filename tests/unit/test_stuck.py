"""Why a subject is stuck: each cause has its sentence, and the worst one comes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.stuck import DECIDED, Called, Closed, Kind, Owed, Told, obstacles

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DUE = NOW + HOUR
OWED = Owed("crm", "pending", NOW - HOUR)
SAID = Told("e1", "shop", "payment.paid", "applied", "", NOW - HOUR)


def _kinds(*owed: Owed, told: tuple[Told, ...] = (), called: tuple[Called, ...] = ()) -> list[Kind]:
    return [each.kind for each in obstacles(told, called, owed, now=NOW)]


@pytest.mark.parametrize(
    ("owed", "sentence"),
    [
        (
            replace(OWED, state="dead", error="HTTP 404 Not Found"),
            "crm was not told, and will not be: HTTP 404 Not Found.",
        ),
        (
            replace(OWED, state="held", held_for="person", differing=["stage", "sum"]),
            (
                "A person changed the record at crm (stage, sum): nothing is written there until "
                "somebody decides."
            ),
        ),
        (
            replace(OWED, closed=Closed(NOW, "a bill is open", paused_by="anna")),
            "crm is not called: anna paused it at 2026-05-04 12:00:00 UTC: a bill is open.",
        ),
        (
            replace(OWED, closed=Closed(NOW, "connection refused")),
            "crm has been out of order since 2026-05-04 12:00:00 UTC: connection refused.",
        ),
        (
            replace(OWED, state="no_record", due_at=DUE),
            "crm has no record for it yet. It is tried again at 2026-05-04 13:00:00 UTC.",
        ),
        (
            replace(OWED, spent_until=DUE, limit="requests"),
            "The quota requests of crm is spent until 2026-05-04 13:00:00 UTC.",
        ),
        (
            replace(OWED, attempts=3, error="HTTP 500", due_at=DUE),
            (
                "crm was tried 3 times in vain: HTTP 500. It is tried again at "
                "2026-05-04 13:00:00 UTC."
            ),
        ),
        (
            replace(OWED, attempts=1, leased=True),
            "crm was tried once in vain: nobody knows why.",
        ),
        (
            OWED,
            "crm is owed a version since 2026-05-04 11:00:00 UTC, and nobody takes it there.",
        ),
        (
            replace(OWED, state="held", held_for="shadow"),
            "crm is in shadow: it is compared, and nothing is written.",
        ),
        (
            replace(OWED, state="held", held_for="operator", error="anna keeps it"),
            "Somebody decided that crm stays as it is until the next version: anna keeps it.",
        ),
    ],
)
def test_a_sync_says_what_stands_in_its_way(owed: Owed, sentence: str) -> None:
    [found] = obstacles((), (), [owed], now=NOW)
    assert sentence == found.sentence
    assert found.remedy
    assert "crm" == found.destination


@pytest.mark.parametrize(
    ("outcome", "reason", "sentence"),
    [
        (
            "dead",
            "The status is not known.",
            "The event payment.paid of shop is a dead letter: The status is not known.",
        ),
        (
            "waiting",
            "waits for a=b to be linked to an order",
            "The event payment.paid of shop waits for a=b to be linked to an order.",
        ),
        (
            "pending",
            "",
            (
                "The event payment.paid of shop came at 2026-05-04 11:00:00 UTC and nobody has "
                "folded it yet."
            ),
        ),
    ],
)
def test_an_event_says_why_it_is_not_folded(outcome: str, reason: str, sentence: str) -> None:
    told = replace(SAID, outcome=outcome, reason=reason)
    [found] = obstacles([told], (), (), now=NOW)
    assert (sentence, "e1") == (found.sentence, found.event_id)


def test_what_is_done_or_on_its_way_is_not_stuck() -> None:
    fresh = replace(OWED, since=NOW)
    assert [] == _kinds(
        replace(OWED, state="synced", closed=Closed(NOW, "")),
        fresh,
        replace(OWED, due_at=NOW),
        told=(SAID, replace(SAID, outcome="pending", received_at=NOW)),
        called=(Called("a=b", 0),),
    )


def test_a_name_that_leads_to_several_is_told_while_somebody_waits() -> None:
    [one] = obstacles((), [Called("a=b", 1)], (), now=NOW)
    [two] = obstacles((), [Called("a=b", 2)], (), now=NOW)
    assert "a=b leads to several subjects, and 1 event waits that nobody can place." == one.sentence
    assert "2 events wait" in two.sentence


def test_the_worst_comes_first_and_what_was_decided_last() -> None:
    found = _kinds(
        replace(OWED, state="held", held_for="shadow"),
        replace(OWED, attempts=1),
        replace(OWED, state="dead"),
        told=(replace(SAID, outcome="waiting"), replace(SAID, outcome="dead")),
    )
    assert [
        Kind.DEAD_EVENT,
        Kind.DEAD_SYNC,
        Kind.WAITING_EVENT,
        Kind.RETRYING,
        Kind.SHADOW,
    ] == found
    assert found[-1] in DECIDED


def test_its_own_trouble_is_told_before_that_of_its_destination() -> None:
    closed = Closed(NOW, "connection refused")
    assert [Kind.DEAD_SYNC] == _kinds(replace(OWED, state="dead", closed=closed))
    assert [Kind.FAILING] == _kinds(replace(OWED, attempts=4, closed=closed, spent_until=DUE))


def test_a_dead_letter_of_a_known_cause_says_how_to_mend_it() -> None:
    [found] = obstacles((), (), [replace(OWED, state="dead", dead_because="gone")], now=NOW)
    assert "Set the new url of the destination, reload, then redrive." == found.remedy
    [other] = obstacles((), (), [replace(OWED, state="no_record")], now=NOW)
    assert "crm has no record for it yet." == other.sentence
