"""What people fill in about dead letters, jobs and replays, and what a job says it is about."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.ops.jobs import USUAL_RATE
from service.store.dead_letters import Selection
from service.web.console import replays
from service.web.console.dead_letters import filters, selection
from service.web.console.forms import Form
from service.web.console.jobs import about
from service.web.console.redriving import read_rate
from service.web.problems import Refused


@pytest.mark.parametrize(
    ("said", "rate"), [("", USUAL_RATE), ("1", 1), (" 10000 ", 10_000), ("007", 7)]
)
def test_a_rate_is_a_number_of_rows(said: str, rate: int) -> None:
    assert rate == read_rate(Form({"rate": [said]}))


@pytest.mark.parametrize("said", ["0", "10001", "-1", "1.5", "٣", "1e3", "0x10", "many", "9" * 99])
def test_no_other_rate_is_taken(said: str) -> None:
    with pytest.raises(Refused, match="from 1 to 10000"):
        read_rate(Form({"rate": [said]}))


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, Selection()),
        ({"kind": "sync", "destination": "crm"}, Selection("sync", "crm")),
        ({"subject": "1001", "reason": ""}, Selection(subject="order/1001")),
        ({"subject": "return/a:1"}, Selection(subject="return/a:1")),
        ({"resolution": "redriven", "source": "shop"}, Selection(source="shop")),
    ],
)
def test_a_filter_chooses_by_what_is_filled_in(said: dict[str, str], wanted: Selection) -> None:
    assert wanted == selection(said)
    assert wanted == selection(filters(wanted))


def test_there_are_two_kinds_of_letters() -> None:
    with pytest.raises(Refused, match="event, sync"):
        selection({"kind": "table"})


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"selection": {"kind": "sync", "reason": None}}, [("kind", "sync")]),
        ({"selection": {"ids": ["a"]}, "because": "old"}, [("ids", "a"), ("because", "old")]),
        ({"selection": {"ids": ["a", "b", "c"]}}, [("ids", "a … (3)")]),
        ({"selection": {}}, []),
        ({"source": "shop", "outcomes": [], "since": None}, [("source", "shop")]),
        ({"destination": "crm", "dry_run": False}, [("destination", "crm"), ("dry_run", "no")]),
        ({"lifecycle": None}, []),
    ],
)
def test_a_job_says_what_was_asked(asked: Any, told: list[tuple[str, str]]) -> None:
    assert told == about({"asked": asked})


@pytest.mark.parametrize(
    ("said", "moment"),
    [
        ("", None),
        ("2026-05-04T12:00", datetime(2026, 5, 4, 12, tzinfo=UTC)),
        ("2026-05-04T12:00:30", datetime(2026, 5, 4, 12, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_time_without_a_zone_is_one_in_utc(said: str, moment: datetime | None) -> None:
    order = replays.read_order(Form({"source": ["shop"], "since": [said]}))
    assert moment == order.since


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"source": ["shop"], "since": ["yesterday"]},
        {"source": ["shop"], "until": ["1999-12-31T23:59"]},
        {"source": ["shop"], "outcomes": ["applied", "lost"]},
    ],
)
def test_a_replay_that_cannot_be_meant_is_refused(fields: dict[str, list[str]]) -> None:
    with pytest.raises(Refused):
        replays.read_order(Form(fields))
