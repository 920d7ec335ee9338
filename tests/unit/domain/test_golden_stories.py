"""Each golden story ends as it must, in whatever order its events arrive."""

from collections.abc import Iterator, Sequence
from itertools import permutations
from math import factorial
from random import Random
from typing import Any

import pytest

from service.domain import law
from service.domain.events import Event
from service.domain.lifecycle import alarms, overall
from service.domain.lifecycles import ORDER
from tests.golden_stories import GoldenStory, load, name_of, names
from tests.unit.domain.promises import Law, Worker

MOST = 300
NAMES = names()


def orders_of(events: Sequence[Event]) -> Iterator[list[Event]]:
    """Every order of few events, and three hundred of many."""
    if factorial(len(events)) <= MOST:
        yield from map(list, permutations(events))
        return
    random = Random(len(events))
    for _ in range(MOST):
        shuffled = list(events)
        random.shuffle(shuffled)
        yield shuffled


def end(state: law.State) -> dict[str, Any]:
    lanes = state.lanes_view
    return {
        "status": overall(ORDER, lanes),
        "lanes": lanes,
        "parcels": state.parcels_view,
        "attributes": state.attributes_view,
        "flags": [alarm.flag for alarm in alarms(ORDER, lanes)],
    }


def worker(story: GoldenStory) -> Worker:
    """A worker that learned what operators did before the first event came."""
    begun = Worker(Law(), pins=list(story.pins), rolled_back=set(story.rolled_back))
    begun.refold()
    return begun


@pytest.mark.parametrize("name", NAMES)
def test_a_story_ends_as_it_must_in_every_order(name: str) -> None:
    story = load(name)
    expected = {part: value for part, value in story.expected.items() if part != "statuses"}
    for events in orders_of(story.events):
        folded = law.fold(ORDER, events, pins=story.pins, rolled_back=story.rolled_back)
        rulings = {name_of(event): folded.outcomes[event.id].outcome.value for event in events}
        assert expected == {**end(folded.state), "outcomes": rulings}


@pytest.mark.parametrize("name", NAMES)
def test_a_story_told_word_by_word_ends_where_the_whole_does(name: str) -> None:
    story = load(name)
    folded = law.fold(ORDER, story.events, pins=story.pins, rolled_back=story.rolled_back)
    for events in orders_of(story.events):
        teller = worker(story)
        for number, event in enumerate(events):
            teller.advance([event, *events[: number // 2]])
        assert (folded.state, folded.outcomes) == (teller.state, teller.rulings)


@pytest.mark.parametrize("name", [name for name in NAMES if "statuses" in load(name).expected])
def test_a_story_passes_the_statuses_that_people_see(name: str) -> None:
    story = load(name)
    teller, seen = worker(story), []
    for event in story.events:
        teller.advance([event])
        seen.append(overall(ORDER, teller.state.lanes_view))
    assert story.expected["statuses"] == seen


def test_there_are_the_seed_and_at_least_twelve_nasty_stories() -> None:
    assert NAMES[0] == "00-seed"
    assert len(NAMES) > 12
