"""docs/reliability.md tells of every fault that is injected, and of those that are not."""

import re
from typing import get_args

from service import faultpoint
from tests.torture import proof
from tests.torture.faults import registry
from tests.write_docs import INJECTORS, RELIABILITY, reliability_written

PAGE = RELIABILITY.read_text("utf-8")
LIST = {f"F{number}" for number in range(1, 37)}


def test_the_lists_on_the_page_are_those_of_the_registry() -> None:
    # Not up to date? python -m tests.write_docs
    assert reliability_written(PAGE) == PAGE


def test_every_fault_of_the_list_is_injected_or_says_why_not() -> None:
    injected = {fault.code for fault in registry.FAULTS}
    assert LIST == INJECTORS.keys()
    assert LIST == injected | {name.partition(" ")[0] for name in registry.ABSENT}
    assert LIST >= injected


def test_the_page_names_the_six_sets() -> None:
    assert list(proof.SETS) == re.findall(r"^\| `(\w+)` \| \w+", PAGE, re.MULTILINE)[:6]


def test_the_buckets_of_the_equation_are_those_that_are_counted() -> None:
    (line,) = re.findall(r"^accepted = (.+)$", PAGE, re.MULTILINE)
    assert list(proof.BUCKETS) == line.split(" + ")


def test_every_fault_point_is_in_the_page_for_developers() -> None:
    page = (RELIABILITY.parent / "development.md").read_text("utf-8")
    for name in (*get_args(faultpoint.Point), *get_args(faultpoint.Act), faultpoint.VARIABLE):
        assert f"`{name}`" in page
