"""docs/operations.md and the alert rules speak of what there is, and of all of it."""

import re
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase

from service import telemetry
from service.cli.main import VERBS, cli
from service.domain.verdict import Reason

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "operations.md").read_text("utf-8")
(GROUP,) = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))["groups"]
RULES: list[dict[str, Any]] = GROUP["rules"]
METRICS: dict[str, MetricWrapperBase] = {
    name: metric
    for metric in vars(telemetry).values()
    if isinstance(metric, MetricWrapperBase)
    for name in (family.name for family in metric.describe())
}
SUFFIX = re.compile(r"_(total|bucket|sum|count)$")


def rows(heading: str) -> list[str]:
    """The first column of the table under that heading of its first column."""
    table = PAGE.partition(f"\n| {heading} |")[2].partition("\n\n")[0]
    return re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)


def metric(name: str) -> MetricWrapperBase:
    return METRICS[name] if name in METRICS else METRICS[SUFFIX.sub("", name)]


def test_every_alert_has_its_row_and_every_row_its_alert() -> None:
    assert [rule["alert"] for rule in RULES] == rows("alert")


def test_every_reason_of_a_dead_letter_has_its_row() -> None:
    assert [reason.value for reason in Reason] == rows("reason")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_every_alert_asks_for_metrics_and_labels_that_exist(rule: dict[str, Any]) -> None:
    asked = re.findall(r"(orderhook_\w+)(?:\{([^}]*)\})?", rule["expr"])
    assert asked
    labels = {label for name, _ in asked for label in metric(name)._labelnames}  # noqa: SLF001
    filters = {name for _, inside in asked for name in re.findall(r"(\w+)(?:=|!=)", inside)}
    kept = {
        label.strip()
        for group in re.findall(r"by \(([^)]*)\)", rule["expr"])
        for label in group.split(",")
    }
    assert filters | kept <= labels | {"le", "instance"}
    assert rule["labels"]["severity"] in {"page", "ticket"}


def test_every_metric_named_on_the_page_exists() -> None:
    for name in re.findall(r"`(orderhook_\w+)`", PAGE):
        assert metric(name).describe()


def test_every_command_on_the_page_is_one_of_ours() -> None:
    ours = {name: cli.get_command(click.Context(cli), name) for name in VERBS}
    for words in re.findall(r"`(?:\$ )?orderhook ([a-z][a-z -]*)", PAGE):
        verb, *rest = words.split()
        assert verb in ours, words
        command = ours[verb]
        if isinstance(command, click.Group) and rest:
            assert rest[0] in command.commands, words
