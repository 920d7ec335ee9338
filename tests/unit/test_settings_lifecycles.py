"""Lifecycles of the configuration: new ones, other rules for shipped ones, and every slip named."""

from pathlib import Path

import pytest

from service.domain.flaws import validate
from service.domain.lifecycle import Lifecycle, overall
from service.domain.lifecycles import LIFECYCLES
from service.settings import (
    ConfigurationProblems,
    Known,
    Problem,
    Settings,
    load,
    load_lifecycles,
)

ENVIRON = {"SHOP": "s" * 24, "CRM": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
KNOWN = Known(providers=("generic",), crms=("callback",))
BASE = """\
[server]
data_dir = "data"
[store]
url = "embedded"
[broker]
url = "embedded"
"""
REPAIR = """\
[lifecycles.repair]
otherwise = "new"
overall = [
  { when = ["work.cancelled"], unless = ["billing.paid"], status = "cancelled" },
  { when = ["work.done", "billing.invoiced | billing.paid"], status = "closed" },
  { when = ["work.done"], status = "done" },
]
alarms = [
  { flag = "done_unpaid", sentence = "Done, and not paid.", when = ["work.done", "billing.due"] },
]
[lifecycles.repair.lanes.work.statuses]
new = { rank = 10, exits = "any" }
started = { rank = 20, exits = "higher" }
done = { rank = 30, exits = ["started"] }
cancelled = { rank = 40, exits = [] }
[lifecycles.repair.lanes.billing]
partly = { paid = "invoiced" }
backward = { paid = "due" }
settlement = { partly = "invoiced", fully = "due", restored = "paid" }
[lifecycles.repair.lanes.billing.statuses]
due = { rank = 10, exits = "any" }
invoiced = { rank = 20, exits = "any" }
paid = { rank = 30, exits = [] }
"""
REST = """\
[sources.shop]
provider = "generic"
secrets = ["env:SHOP"]
verify = { scheme = "bearer" }
subject = { lifecycle = "repair", ref = "no" }
status = "s"
statuses = { D = "work.done" }
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9000/"
secret = "env:CRM"
statuses = { closed = "y" }
[[routes]]
events = ["repair.*", "repair.billing.paid"]
destinations = ["crm"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orderhook.toml"


def read(file: Path, text: str) -> Settings:
    file.write_text(BASE + text)
    return load(file, ENVIRON, known=KNOWN)


def problems(file: Path, text: str) -> dict[str, Problem]:
    """By place; every one has a line, a sentence and a remedy."""
    with pytest.raises(ConfigurationProblems) as caught:
        read(file, text)
    found = {problem.where: problem for problem in caught.value.problems}
    assert len(found) == len(caught.value.problems)
    for problem in found.values():
        assert problem.what.endswith(".")
        assert problem.remedy.endswith((".", "?"))
    return found


def changed(*pairs: tuple[str, str]) -> str:
    text = REPAIR + REST
    for before, after in pairs:
        assert before in text
        text = text.replace(before, after)
    return text


def test_without_a_table_the_shipped_lifecycles_are_there(file: Path) -> None:
    assert read(file, "").lifecycles == LIFECYCLES


def test_a_lifecycle_of_the_file_is_as_good_as_a_shipped_one(file: Path) -> None:
    made = read(file, REPAIR + REST)
    repair = made.lifecycles["repair"]
    assert [*LIFECYCLES, "repair"] == list(made.lifecycles)
    assert [] == validate(repair)
    assert {"new", "started", "cancelled", "done"} == set(repair.lanes["work"].statuses)
    assert repair.lanes["work"].statuses["started"].exits == {"done", "cancelled"}
    assert repair.lanes["work"].statuses["cancelled"].exits == frozenset()
    assert overall(repair, {"work": "done", "billing": "paid"}) == "closed"
    assert overall(repair, {"work": "cancelled", "billing": "paid"}) == "new"
    assert [alarm.flag for alarm in repair.alarms] == ["done_unpaid"]


def test_what_parcels_and_money_do_is_read(file: Path) -> None:
    billing = read(file, REPAIR + REST).lifecycles["repair"].lanes["billing"]
    assert (billing.partly, billing.backward) == ({"paid": "invoiced"}, {"paid": "due"})
    assert billing.settlement is not None
    assert (billing.settlement.returned, billing.settlement.restored) == ("refunded", "paid")


def test_rules_of_a_shipped_lifecycle_are_replaced_and_all_else_stays(file: Path) -> None:
    text = """\
[lifecycles.order]
overall = [{ when = ["payment.paid", "order.confirmed"], status = "in_work" }]
"""
    made = read(file, text).lifecycles
    assert overall(made["order"], {"payment": "paid", "order": "confirmed"}) == "in_work"
    assert overall(made["order"], {"payment": "paid"}) == "new"
    assert made["order"].lanes == LIFECYCLES["order"].lanes
    assert made["order"].alarms == LIFECYCLES["order"].alarms
    assert made["ticket"] == LIFECYCLES["ticket"]


def test_alarms_and_the_last_word_of_a_shipped_lifecycle_are_replaced_alone(file: Path) -> None:
    made = read(file, "[lifecycles.order]\nalarms = []\notherwise = 'fresh'").lifecycles["order"]
    assert (made.alarms, made.otherwise) == ((), "fresh")
    assert made.rules == LIFECYCLES["order"].rules


def test_a_shipped_lifecycle_keeps_its_lanes(file: Path) -> None:
    text = "[lifecycles.order.lanes.gift.statuses]\nwrapped = { rank = 1, exits = [] }"
    found = problems(file, text)
    assert ["lifecycles.order.lanes"] == list(found)


def test_routes_and_destinations_speak_of_what_rules_say_now(file: Path) -> None:
    rules = '[lifecycles.task]\noverall = [{ when = ["work.done"], status = "finished" }]\n'
    destination = REST.partition("[destinations.crm]")[2].partition("[[routes]]")[0]
    text = f"{rules}[destinations.crm]{destination}".replace("closed", "finished")
    assert read(file, text).destinations["crm"].statuses == {"finished": "y"}


@pytest.mark.parametrize(
    ("before", "after", "where", "told"),
    [
        (
            'rank = 20, exits = "higher"',
            'rank = 10, exits = "higher"',
            "lanes.work.statuses.started.rank",
            "Lane work: rank 10 is used more than once.",
        ),
        (
            'rank = 20, exits = "higher"',
            "exits = []",
            "lanes.work.statuses.started.rank",
            "missing",
        ),
        (
            'rank = 30, exits = ["started"]',
            "rank = 30",
            "lanes.work.statuses.done.exits",
            "missing",
        ),
        (
            'rank = 10, exits = "any" }\ns',
            'rank = 0, exits = "any" }\ns',
            "lanes.work.statuses.new.rank",
            "bounds",
        ),
        ('["started"]', '["begun"]', "lanes.work.statuses.done.exits", "exits to begun"),
        ('["started"]', '"some"', "lanes.work.statuses.done.exits", "where the status leads"),
        ("started = {", "Started = {", "lanes.work.statuses.Started", "not a usable word"),
        (
            'partly = { paid = "invoiced"',
            'partly = { paid = "half"',
            "lanes.billing.partly.paid",
            "names half",
        ),
        ("backward = { paid", "backward = { payed", "lanes.billing.backward.payed", "names payed"),
        ('fully = "due"', 'fully = "all"', "lanes.billing.settlement.fully", "names all"),
        ('["work.cancelled"]', '["work.canceled"]', "overall[0].when[0]", "names work.canceled"),
        (
            'unless = ["billing.paid"]',
            'unless = ["bill.paid"]',
            "overall[0].unless",
            "names bill.paid",
        ),
        ("invoiced | billing", "invoiced|billing", "overall[1].when[1]", "not a condition"),
        (
            '"work.done", "billing.invoiced | billing.paid"',
            '"work.done"',
            "overall[2]",
            "never be the first",
        ),
        (
            '["work.done", "billing.due"]',
            '["work.done", "work.new"]',
            "alarms[0]",
            "can never hold",
        ),
        (
            '["work.done", "billing.due"]',
            '["work.done", "billing.open"]',
            "alarms[0].when[1]",
            "names billing.open",
        ),
        ('otherwise = "new"\n', "", "otherwise", "not said what to show"),
        ("otherwise", "otherwize", "otherwize", "no such key"),
        ('flag = "done_unpaid", ', "", "alarms[0].flag", "missing"),
    ],
)
def test_a_slip_is_named_with_its_place_and_line(
    file: Path, before: str, after: str, where: str, told: str
) -> None:
    text = changed((before, after))
    found = problems(file, text)
    problem = found[f"lifecycles.repair.{where}"]
    assert told in problem.what
    assert problem.line is not None


def test_the_line_is_the_one_the_slip_is_in(file: Path) -> None:
    text = changed(('["started"]', '["begun"]'), ('["work.cancelled"]', '["work.canceled"]'))
    lines = (BASE + text).splitlines()
    told = [lines[(problem.line or 0) - 1] for problem in problems(file, text).values()]
    assert [line[:20] for line in told] == ['  { when = ["work.ca', "done = { rank = 30, "]


def test_all_slips_are_told_at_once_and_none_twice(file: Path) -> None:
    text = changed(
        ('exits = ["started"]', 'exits = ["begun"]'),
        ('["work.cancelled"]', '["work.canceled"]'),
        ('D = "work.done"', 'D = "work.finished"'),
        ('"repair.billing.paid"', '"repair.bill.paid"'),
        ('closed = "y"', 'colsed = "y"'),
    )
    assert [
        ("lifecycles.repair.overall[0].when[0]", 'Did you mean "work.cancelled"?'),
        (
            "lifecycles.repair.lanes.work.statuses.done.exits",
            "Known here: cancelled, done, new, started.",
        ),
        ("sources.shop.statuses.D", 'Did you mean "work.new"?'),
        ("destinations.crm.statuses.colsed", 'Did you mean "closed"?'),
        ("routes[0].events[1]", 'Did you mean "repair.billing.*"?'),
    ] == [(where, problem.remedy) for where, problem in problems(file, text).items()]


def test_a_table_that_cannot_be_read_does_not_make_others_look_wrong(file: Path) -> None:
    assert ["lifecycles.repair.overall[1].when[1]"] == list(
        problems(file, changed(("invoiced | billing", "invoiced, billing")))
    )
    assert ["lifecycles.repair.lanes.work.statuses.done.rank"] == list(
        problems(file, changed(('rank = 30, exits = ["started"]', "rank = 'x', exits = []")))
    )


def test_a_misspelt_shipped_name_is_suggested(file: Path) -> None:
    [problem] = problems(file, "[lifecycles.oder]\nalarms = []").values()
    assert problem.where == "lifecycles.oder.lanes"
    assert problem.remedy.endswith('Did you mean "order"?')


def test_names_hold_underscores_and_no_hyphens(file: Path) -> None:
    text = REPAIR.replace("repair", "warranty_repair")
    assert "warranty_repair" in read(file, text).lifecycles
    assert "lifecycles.warranty-repair" in problems(
        file, REPAIR.replace("repair", "warranty-repair")
    )


def test_one_value_may_come_from_the_environment(file: Path) -> None:
    file.write_text(BASE + REPAIR)
    environ = ENVIRON | {"ORDERHOOK__LIFECYCLES__REPAIR__OTHERWISE": "fresh"}
    assert load(file, environ, known=KNOWN).lifecycles["repair"].otherwise == "fresh"
    assert load_lifecycles(file, environ)["repair"].otherwise == "fresh"


def test_lifecycles_alone_are_read_whatever_else_the_file_lacks(file: Path) -> None:
    file.write_text(REPAIR + REST)
    found = load_lifecycles(file, {})
    assert isinstance(found["repair"], Lifecycle)
    file.write_text(REPAIR.replace("rank = 20", "rank = 10"))
    with pytest.raises(ConfigurationProblems, match="rank 10 is used more than once"):
        load_lifecycles(file, {})
