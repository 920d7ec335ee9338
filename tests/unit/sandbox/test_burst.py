"""The burst's arithmetic: what is posted, what must come of it, how long it took."""

import math
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from service.sandbox import burst, stage, story
from service.settings import Source
from service.settings.load import load

BEGIN = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
TWISTS = ["duplicate", "forged", "late", "waiting"]


@pytest.fixture
def sources(tmp_path: Path) -> dict[str, Source]:
    """The senders of the demo, from the configuration it writes."""
    scene = stage.prepare(tmp_path)
    stage.configure(scene, crm="http://127.0.0.1:9", rabbitmq=False)
    return load(scene.configuration, {}).sources


@pytest.mark.parametrize("orders", [0, 1, 7, 20, 33, 1000])
def test_every_order_is_told_once(sources: dict[str, Source], orders: int) -> None:
    shots = burst.load(sources, orders=orders, begin=BEGIN)
    told = Counter(ref for shot in shots for ref in shot.orders)
    assert told == {f"B-{n:04}": 1 for n in range(1, orders + 1)}
    assert all(shot.orders for shot in shots)


def test_all_senders_and_many_statuses_take_part(sources: dict[str, Source]) -> None:
    shots = burst.load(sources, orders=1000, begin=BEGIN)
    assert {shot.source for shot in shots} == set(sources)
    assert len(set(burst.expected(shots).values())) == 6
    assert sum(shot.twice for shot in shots) == 50


def test_the_same_burst_has_the_same_bytes(sources: dict[str, Source]) -> None:
    first = burst.load(sources, orders=40, begin=BEGIN)
    assert first == burst.load(sources, orders=40, begin=BEGIN)


def test_the_story_has_its_four_twists(sources: dict[str, Source]) -> None:
    told = story.tell(sources, begin=BEGIN)
    assert [webhook.twist for webhook in told if webhook.twist] == TWISTS
    assert told[-1].status == "delivered"


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([3.0, 1.0, 2.0], 0.5, 2.0),
        ([1.0], 0.99, 1.0),
        (list(map(float, range(1, 101))), 0.99, 99.0),
    ],
)
def test_a_percentile_is_a_value_that_was_measured(
    values: list[float], share: float, expected: float
) -> None:
    assert burst.percentile(values, share) == expected


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(burst.percentile([], 0.5))
