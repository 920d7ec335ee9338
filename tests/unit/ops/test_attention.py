"""What a person is told to look at, and in which order."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.refusals import Cause
from service.domain.verdict import Reason
from service.ops import attention
from service.ops.concern import BAD, CAUSES, SAYS, Kind
from service.ops.now import Budget, Dead, Destination, Lag, Look, Refused, Source

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EARLIER = AT - timedelta(minutes=30)
LEDGER: dict[str, Any] = {"balanced": True, "incomplete": False, "misplaced": []}
PAUSE = {"cause": "auth", "by": "", "reason": "401 Unauthorized"}
CALM = Look(
    at=AT,
    came=[],
    went=[],
    failed=[],
    came_per_second=0,
    went_per_second=0,
    lag=Lag(0, None, None, None, None, 0, 0, None),
    sources=[],
    destinations=[],
    dead=[],
    spools=[],
    strangers=[],
)
SHOP = Source("shop", "generic", 0, [], None, None, [], 0)
SPENT = Budget("requests", 950, 1000, stock=True, resets_at=None, rests_until=None)
CRM = Destination(
    "crm", "callback", "running", 0, [], [], None, 0, 0, 0, 0, None, None, None, None, None, []
)


def dead(reason: str = "refused", letters: int = 1, **said: Any) -> Dead:
    usual: dict[str, Any] = {"kind": "sync", "destination": "crm"}
    return Dead(
        **{**usual, **said}, reason=reason, letters=letters, first_at=AT, last_at=AT, summary=""
    )


def spool(**said: Any) -> dict[str, Any]:
    return {"gateway": "gw-1", "state": "empty", "requests": 0, "reported_at": EARLIER, **said}


def test_nothing_is_said_where_nothing_is_wrong() -> None:
    look = replace(CALM, sources=[SHOP], destinations=[CRM], spools=[spool()])
    assert [] == attention.concerns(look, LEDGER)
    assert [] == attention.concerns(look, None)


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (
            replace(
                CALM,
                destinations=[
                    replace(CRM, state="failing", state_since=EARLIER, last_error="Refused.")
                ],
            ),
            "crm does not answer since 2026-03-01 11:30:00 UTC: Refused.",
        ),
        (
            replace(
                CALM, destinations=[replace(CRM, state="paused", state_since=EARLIER, pause=PAUSE)]
            ),
            "crm is paused since 2026-03-01 11:30:00 UTC until a person acts: 401 Unauthorized",
        ),
        (
            replace(
                CALM,
                destinations=[
                    replace(
                        CRM,
                        state="paused",
                        state_since=EARLIER,
                        pause={"cause": "operator", "by": "anna", "reason": "moving"},
                    )
                ],
            ),
            "anna paused crm at 2026-03-01 11:30:00 UTC: moving",
        ),
        (replace(CALM, dead=[dead()]), "1 dead letter of crm: the change is refused"),
        (
            replace(CALM, dead=[dead("unmapped", 4000, kind="event", destination=None)]),
            "4000 dead letters of events: a word that the source does not map",
        ),
        (
            replace(CALM, sources=[replace(SHOP, silent_since=EARLIER)]),
            "shop is silent since 2026-03-01 11:30:00 UTC, longer than it ever was.",
        ),
        (
            replace(
                CALM,
                sources=[
                    replace(
                        SHOP, refused=[Refused("wrong_secret", 3, AT), Refused("missing", 1, AT)]
                    )
                ],
            ),
            "4 requests of shop were refused in the last ten minutes: the signature is wrong.",
        ),
        (
            replace(CALM, sources=[replace(SHOP, conflicts=1)]),
            "1 thing that shop said contradicts another.",
        ),
        (
            replace(CALM, strangers=[Refused("unknown_source", 2, AT)]),
            "2 requests came to addresses that no source has, in the last ten minutes.",
        ),
        (
            replace(CALM, lag=replace(CALM.lag, waiting=7, oldest_event_at=EARLIER)),
            "7 accepted events wait to be applied, the oldest since 2026-03-01 11:30:00 UTC.",
        ),
        (
            replace(CALM, destinations=[replace(CRM, owed=6, no_record=0, oldest_owed_at=EARLIER)]),
            "6 orders wait for crm, the oldest since 2026-03-01 11:30:00 UTC.",
        ),
        (
            replace(CALM, destinations=[replace(CRM, owed=1, no_record=1)]),
            "1 order has no record in crm yet.",
        ),
        (
            replace(CALM, destinations=[replace(CRM, held=2)]),
            "A person changed 2 records in crm: decide whose word counts.",
        ),
        (
            replace(
                CALM,
                destinations=[replace(CRM, budgets=[SPENT])],
            ),
            "95 % of what crm grants is used up (requests).",
        ),
        (
            replace(CALM, spools=[spool(state="draining", requests=12)]),
            "The spool of gw-1 holds 12 requests, so the ledger is incomplete.",
        ),
        (
            replace(CALM, spools=[spool(state="silent")]),
            (
                "gw-1 is not heard since 2026-03-01 11:30:00 UTC: "
                "its spool may hold requests that nobody counts."
            ),
        ),
    ],
)
def test_what_is_wrong_is_one_sentence(look: Look, sentence: str) -> None:
    assert [sentence] == [one.sentence for one in attention.concerns(look, LEDGER)]


def test_a_ledger_that_does_not_balance_comes_first() -> None:
    odd = {"balanced": False, "incomplete": False, "misplaced": [{}, {}]}
    found = attention.concerns(replace(CALM, dead=[dead()]), odd)
    assert [Kind.UNBALANCED, Kind.DEAD] == [one.kind for one in found]
    assert "The ledger does not balance: 2 rows are out of place." == found[0].sentence


def test_a_ledger_that_is_only_incomplete_is_told_of_by_its_spool() -> None:
    unknown = {"balanced": False, "incomplete": True, "misplaced": []}
    found = attention.concerns(replace(CALM, spools=[spool(requests=1)]), unknown)
    assert [Kind.SPOOL_FULL] == [one.kind for one in found]


def test_what_is_bad_comes_before_what_is_odd_and_the_most_letters_first() -> None:
    look = replace(
        CALM,
        dead=[dead("gone", 1), dead("refused", 9)],
        destinations=[replace(CRM, held=1, state="failing", state_since=EARLIER)],
    )
    kinds = [(one.kind, one.count) for one in attention.concerns(look, LEDGER)]
    assert [(Kind.FAILING, 1), (Kind.DEAD, 9), (Kind.DEAD, 1), (Kind.HELD, 1)] == kinds


def test_a_destination_that_is_not_called_is_not_late_as_well() -> None:
    one = replace(
        CRM, state="paused", state_since=EARLIER, pause=PAUSE, owed=5, oldest_owed_at=EARLIER
    )
    found = attention.concerns(replace(CALM, destinations=[one]), LEDGER)
    assert [Kind.PAUSED] == [concern.kind for concern in found]


def test_the_list_ends_somewhere() -> None:
    sources = [replace(SHOP, name=f"s{n}", conflicts=1) for n in range(500)]
    found = attention.concerns(replace(CALM, sources=sources), LEDGER)
    assert attention.MOST == len(found)


def test_there_are_words_for_everything() -> None:
    assert set(Kind) == set(SAYS) >= BAD
    assert {*Reason, *Cause} == set(CAUSES)
