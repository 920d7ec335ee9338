"""Every metric is explained, with the labels it has, and alerts are made of metrics there are."""

import re
from pathlib import Path

import pytest
import yaml
from prometheus_client import Counter, Metric
from prometheus_client.metrics import MetricWrapperBase

from service import telemetry
from service.ops.gauges import PRIORITY_NAMES
from service.store.outbox import PRIORITIES
from service.worker.crms.base import Class

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "metrics.md").read_text("utf-8")
ALERTS = yaml.safe_load((ROOT / "deploy" / "alerts.yaml").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
ROW = re.compile(r"^\| `(orderhook_\w+)` \| (\w+) \|([^|]*)\| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)


def _described(metric: MetricWrapperBase) -> Metric:
    [described] = metric.describe()
    return described


METRICS: dict[str, MetricWrapperBase] = {
    _described(found).name + ("_total" if isinstance(found, Counter) else ""): found
    for found in vars(telemetry).values()
    if isinstance(found, MetricWrapperBase)
}


def test_every_metric_is_explained_with_its_type_and_labels_and_no_other_is() -> None:
    documented = [
        (name, kind, tuple(re.findall(r"`(\w+)`", labels)))
        for name, kind, labels, _unit, _meaning in ROW.findall(PAGE)
    ]
    assert len(METRICS) > 30
    assert sorted(documented) == sorted(
        (name, _described(metric).type, tuple(metric._labelnames))  # noqa: SLF001
        for name, metric in METRICS.items()
    )


def test_every_metric_has_a_unit_and_a_sentence() -> None:
    for name, _kind, _labels, unit, meaning in ROW.findall(PAGE):
        assert unit.strip(), name
        assert meaning.strip().endswith("."), name


def test_the_words_that_labels_may_hold_are_told() -> None:
    words = set(re.findall(r"`(\w+)`", PAGE))
    assert {each.value for each in Class} <= words
    assert set(PRIORITY_NAMES.values()) <= words
    assert set(PRIORITIES) == set(PRIORITY_NAMES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_is_made_of_metrics_and_labels_there_are(rule: dict[str, str]) -> None:
    expression = rule["expr"]
    used = set(re.findall(r"orderhook_\w+", expression))
    known = {*METRICS, *(f"{name}_bucket" for name in METRICS)}
    assert used
    assert used <= known
    labels = {
        label
        for name in used
        for label in METRICS[name.removesuffix("_bucket")]._labelnames  # noqa: SLF001
    }
    matched = re.findall(r"[{,]\s*(\w+)\s*(?:=~|!=|!~|=)", expression)
    grouped = re.findall(r"\b(?:by|on) \(([^)]*)\)", expression)
    named = {each.strip() for group in grouped for each in group.split(",")} | set(matched)
    assert named <= {*labels, "le", "instance"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_says_who_is_needed_and_what_is_wrong(rule: dict[str, dict[str, str]]) -> None:
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"]["summary"].endswith(".")
