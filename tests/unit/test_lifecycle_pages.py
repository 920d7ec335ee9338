"""The lifecycles as people see them: the page, the pictures, and `orderhook lifecycle`."""

import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result
from defusedxml import ElementTree

from service.cli.context import Context
from service.cli.lifecycle import lifecycle as verb
from service.cli.main import cli, exit_code
from service.cli.picture import plain, svg, words
from service.domain.errors import NotFound
from service.domain.lifecycle import Alarm, Lifecycle, Rule
from service.domain.lifecycles import LIFECYCLES, ORDER
from service.domain.lifecycles.shorthand import any_of, lane, lanes
from service.settings.lifecycle_tables import LifecycleTable
from service.settings.lifecycles import build
from tests import lifecycle_pages
from tests.lifecycle_pages import PAGE

AGAIN = "run python -m tests.lifecycle_pages"
SHIPPED = pytest.mark.parametrize("name", LIFECYCLES)
OWN = """\
[lifecycles.repair]
otherwise = "new"
overall = [{ when = ["work.done"], status = "closed" }]
[lifecycles.repair.lanes.work]
partly = { done = "new" }
settlement = { partly = "new", fully = "done", restored = "new" }
[lifecycles.repair.lanes.work.statuses]
new = { rank = 10, exits = "any" }
done = { rank = 30, exits = [] }
"""


def test_the_page_is_what_the_lifecycles_say_now() -> None:
    written = PAGE.read_text("utf-8")
    assert lifecycle_pages.page(written) == written, AGAIN


def test_the_pictures_are_what_the_lifecycles_say_now() -> None:
    drawn = lifecycle_pages.pictures()
    assert sorted(drawn) == sorted((PAGE.parent / "lifecycles").iterdir())
    assert [] == [file.name for file, svg in drawn.items() if file.read_text("utf-8") != svg], AGAIN


@SHIPPED
def test_a_picture_is_one_standalone_document_that_names_everything(name: str) -> None:
    one = LIFECYCLES[name]
    drawn = svg.draw(one)
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert "href" not in drawn
    assert "prefers-color-scheme: dark" in drawn
    texts = {"".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")}
    statuses = {word for lane in one.lanes.values() for word in lane.statuses}
    flags = {alarm.flag for alarm in one.alarms}
    assert {name, *one.lanes, *statuses, *one.overall_statuses, *flags} <= texts


@SHIPPED
def test_nothing_in_a_picture_reaches_over_its_edge(name: str) -> None:
    root = ElementTree.fromstring(svg.draw(LIFECYCLES[name]))
    width, height = float(root.get("width", "")), float(root.get("height", ""))
    for each in root.iter("{http://www.w3.org/2000/svg}rect"):
        if each.get("width") != "100%":
            assert float(each.get("x", "")) + float(each.get("width", "")) <= width
    for each in root.iter("{http://www.w3.org/2000/svg}text"):
        assert float(each.get("y", "")) < height
        if "m" in each.get("class", "").split() and "mid" not in each.get("class", ""):
            end = float(each.get("x", "")) + len(each.text or "") * 6.4
            assert "end" in each.get("class", "") or end <= width


def test_words_of_the_file_cannot_break_the_picture() -> None:
    sly = Lifecycle(
        "sly",
        lanes(lane("a", ("x", 1, "any"), ("y", 2, ()))),
        (Rule((any_of("a.x"),), "s"),),
        "t",
        alarms=(Alarm("f", "</svg><script>alert(1)</script> & more", (any_of("a.x"),)),),
    )
    drawn = svg.draw(sly)
    assert "<script>" not in drawn
    ElementTree.fromstring(drawn)


def test_more_lanes_than_colours_are_drawn() -> None:
    many = [lane(f"lane{n}", ("x", 1, ())) for n in range(9)]
    drawn = svg.draw(Lifecycle("many", lanes(*many), (Rule((any_of("lane8.x"),), "s"),), "t"))
    assert "lane8: x" in drawn


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule((any_of("payment.paid"),), ""), "payment is paid"),
        (
            Rule((any_of("payment.paid", "payment.failed", "order.cancelled"),), ""),
            "payment is failed or paid, or order is cancelled",
        ),
        (
            Rule((any_of("order.confirmed"), any_of("payment.paid", "delivery.lost")), ""),
            "order is confirmed and (payment is paid, or delivery is lost)",
        ),
        (
            Rule((any_of("order.new"),), "", any_of("payment.paid", "payment.failed")),
            "order is new, unless payment is failed or paid",
        ),
        (Rule((), "", any_of("order.new")), "unless order is new"),
        (
            Rule((any_of(*(f"delivery.{w}" for w in ORDER.lanes["delivery"].statuses)),), ""),
            (
                "delivery is label_created, picked_up, in_transit, ready_for_pickup, "
                "out_for_delivery, delivery_failed, returning, lost, delivered or "
                "returned_to_sender"
            ),
        ),
        (ORDER.rules[3], None),
    ],
)
def test_a_rule_is_said_in_words(rule: Rule, said: str | None) -> None:
    cancelled = (
        "fulfillment is cancelled, or order is cancelled, unless fulfillment is "
        "partially_shipped or shipped, or delivery is any status but label_created"
    )
    assert words.sentence(ORDER, rule) == (said or cancelled)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("payment.authorized", "any"),
        ("payment.cancelled", "authorized, paid"),
        ("fulfillment.new", "any"),
        ("fulfillment.packed", "any higher"),
        ("delivery.delivered", "returning, returned_to_sender"),
        ("order.completed", "cancelled"),
        ("order.cancelled", "final"),
    ],
)
def test_exits_are_said_in_few_words(place: str, said: str) -> None:
    name, _, status = place.partition(".")
    one = ORDER.lanes[name]
    assert words.exits(one, one.statuses[status]) == said


@SHIPPED
def test_what_toml_writes_the_configuration_reads(name: str) -> None:
    one = LIFECYCLES[name]
    table = tomllib.loads(plain.toml(one, lanes=False))["lifecycles"][name]
    assert build(LifecycleTable.model_validate({**table, "name": name})) == one
    whole = tomllib.loads(plain.toml(one, lanes=True))["lifecycles"][name]
    made = build(LifecycleTable.model_validate({**whole, "name": "mine"}))
    assert (made.lanes, made.rules, made.alarms) == (one.lanes, one.rules, one.alarms)


def run(*args: str, config: Path | None = None) -> Result:
    return CliRunner().invoke(verb, args, obj=Context(config))


def body(*args: str, config: Path | None = None) -> dict[str, Any]:
    return dict(orjson.loads(run(*args, config=config).stdout))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "orderhook.toml"
    file.write_text(OWN)
    return file


def test_the_verb_lists_all_lifecycles(config: Path) -> None:
    assert [*LIFECYCLES, "repair"] == [
        item["name"] for item in body("--json", config=config)["items"]
    ]
    shown = run(config=config).stdout
    assert all(name in shown for name in (*LIFECYCLES, "repair"))


@SHIPPED
def test_the_verb_prints_every_status_rule_and_flag(name: str) -> None:
    shown = CliRunner().invoke(verb, [name], obj=Context(None), env={"COLUMNS": "200"}).stdout
    one = LIFECYCLES[name]
    statuses = {word for lane in one.lanes.values() for word in lane.statuses}
    flags = {alarm.flag for alarm in one.alarms}
    wanted = {*statuses, *one.overall_statuses, *one.lanes, *flags}
    assert set() == {word for word in wanted if word not in shown}


def test_the_verb_prints_json_in_the_shape_of_the_configuration(config: Path) -> None:
    said = body("repair", "--json", config=config)
    assert said["lanes"]["work"]["statuses"]["new"] == {"rank": 10, "exits": ["done"]}
    assert said["lanes"]["work"]["statuses"]["done"] == {"rank": 30, "exits": []}
    assert said["overall"] == [{"when": ["work.done"], "status": "closed"}]
    assert (said["otherwise"], said["statuses"]) == ("new", ["closed", "new"])
    order = body("order", "--json")
    assert order["overall"][3]["unless"][0] == "fulfillment.partially_shipped"
    assert order["overall"][14]["when"][1] == "payment.paid | payment.partially_refunded"


def test_the_verb_draws_and_writes_what_the_file_defines(config: Path) -> None:
    drawn = run("repair", "--svg", config=config).stdout
    assert drawn.startswith("<svg ")
    assert "work: done" in drawn
    written = run("repair", "--toml", config=config).stdout
    assert set(tomllib.loads(written)["lifecycles"]["repair"]) >= {"lanes", "overall"}
    assert "lanes" not in tomllib.loads(run("task", "--toml").stdout)["lifecycles"]["task"]


def test_the_verb_is_one_of_the_command_and_draws_the_committed_picture() -> None:
    result = CliRunner().invoke(cli, ["lifecycle", "order", "--svg"])
    assert result.stdout == (PAGE.parent / "lifecycles" / "order.svg").read_text("utf-8")


def test_an_unknown_name_is_a_negative_answer_with_a_suggestion() -> None:
    error = run("odrer").exception
    assert isinstance(error, NotFound)
    assert str(error) == "There is no lifecycle 'odrer'. Did you mean \"order\"?"
    assert exit_code(error) == 1


@pytest.mark.parametrize("args", [("--svg",), ("--toml",), ("order", "--svg", "--json")])
def test_what_cannot_be_asked_together_is_a_usage_error(args: tuple[str, ...]) -> None:
    assert run(*args).exit_code == 2
