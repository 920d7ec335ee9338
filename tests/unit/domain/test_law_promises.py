"""The law keeps its promises for any story, however it arrives."""

from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.domain import law
from service.domain.events import Event
from service.domain.lifecycles import ORDER
from tests.unit.domain.promises import (
    MODEL,
    Law,
    Worker,
    all_promises,
    arrival_plays_no_part,
    batches_end_where_the_set_does,
    the_model_agrees,
)
from tests.unit.domain.stories import Arrival, Calm, Story, arrivals, stories

LAW = Law()
SURE = {"revoked": st.just(True), "returned": st.just(True)}  # noqa: FBT003


@st.composite
def told(draw: st.DrawFn, *, most: int = 40) -> tuple[Story, Arrival]:
    story = draw(stories(most=most))
    return story, draw(arrivals(story))


@st.composite
def orderly(draw: st.DrawFn) -> list[tuple[Event, ...]]:
    """Batches in the order of the law, of a story in which nothing is taken back."""
    events = draw(stories(calm=st.builds(Calm, untimed=st.booleans(), **SURE))).events
    walk = sorted(events, key=MODEL.turn)
    cuts = sorted(draw(st.sets(st.integers(0, len(walk)), max_size=9)))
    return [tuple(walk[start:end]) for start, end in pairwise([0, *cuts, len(walk)])]


@given(told())
def test_neither_order_nor_repetition_of_arrival_changes_anything(
    case: tuple[Story, Arrival],
) -> None:
    arrival_plays_no_part(LAW, *case)


@given(told())
def test_every_split_and_every_crash_ends_where_the_whole_set_does(
    case: tuple[Story, Arrival],
) -> None:
    batches_end_where_the_set_does(LAW, *case)


@given(stories())
def test_strand_by_strand_the_law_is_a_walk_over_the_set(story: Story) -> None:
    the_model_agrees(LAW, story)


@given(orderly())
def test_what_comes_in_order_never_needs_a_refold(batches: list[tuple[Event, ...]]) -> None:
    worker = Worker(LAW)
    for batch in batches:
        worker.take(batch)
    folded = law.fold(ORDER, [event for batch in batches for event in batch])
    assert (folded.state, folded.outcomes, 0) == (worker.state, worker.rulings, worker.refolds)


@pytest.mark.long
@pytest.mark.timeout(3600)
@settings(max_examples=100_000, suppress_health_check=list(HealthCheck))
@given(told())
def test_all_promises_hold_for_a_hundred_thousand_stories(case: tuple[Story, Arrival]) -> None:
    all_promises(LAW, *case)
