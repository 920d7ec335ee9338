"""What was purged folded to something, and the rest folds on top of it as if all were there."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain import bases
from service.domain.bases import NOTHING, Base
from service.domain.events import Event, Money, Outcome, Revocation
from service.domain.law import Folded, State, compact, fold
from service.domain.lifecycles import ORDER
from service.domain.state import Strands
from tests import make
from tests.unit.domain.promises import MODEL
from tests.unit.domain.stories import Calm, Story, stories

APPLIED, SUPERSEDED = Outcome.APPLIED, Outcome.SUPERSEDED
CALM = st.builds(Calm, untimed=st.booleans(), revoked=st.just(True), returned=st.just(True))  # noqa: FBT003


@st.composite
def aging(draw: st.DrawFn) -> tuple[Story, list[set[UUID]]]:
    """A story, and what of it is old at each of a few looks; what was old stays so."""
    story = draw(stories(most=25))
    ids = [event.id for event in story.events]
    some: st.SearchStrategy[set[UUID]] = st.sets(st.sampled_from(ids)) if ids else st.just(set())
    looks = [draw(some) for _ in range(3)]
    return story, [set().union(*looks[: n + 1]) for n in range(3)]


@st.composite
def continued(draw: st.DrawFn) -> tuple[tuple[Event, ...], tuple[Event, ...]]:
    """A calm story cut in two, of which the second part has only later times, or none."""
    story: Story = draw(stories(calm=CALM))
    events = sorted(story.events, key=MODEL.turn)
    timed = [each for each in events if each.statement.occurred_at is not None]
    late = {each.id for each in timed[draw(st.integers(0, len(timed))) :]}
    untimed = [each for each in events if each.statement.occurred_at is None]
    late |= {each.id for each in untimed if draw(st.booleans())}
    return (
        tuple(each for each in events if each.id not in late),
        tuple(each for each in events if each.id in late),
    )


def seen(state: State) -> State:
    """A state but for the ids of events that operators took back and that are purged by now."""
    return replace(state, rolled_back=frozenset())


def rest_of(events: Sequence[Event], gone: Collection[UUID]) -> list[Event]:
    return [each for each in events if each.id not in gone]


def purged(events: Sequence[Event], *minutes: int) -> tuple[Base, list[Event]]:
    """Purge the events of these minutes."""
    old = {each.id for each in events if each.statement.occurred_at in set(map(make.at, minutes))}
    base, gone = compact(ORDER, NOTHING, events, old=old)
    return base, rest_of(events, gone)


def statuses(events: Sequence[Event], base: Base) -> tuple[dict[str, str], list[Outcome]]:
    folded = fold(ORDER, events, base=base)
    return folded.state.lanes_view, [folded.outcomes[each.id].outcome for each in events]


@given(aging())
def test_whatever_is_old_the_rest_folds_to_the_same_state_and_the_same_rulings(
    case: tuple[Story, list[set[UUID]]],
) -> None:
    story, looks = case
    known: dict[str, object] = {"pins": story.pins, "rolled_back": story.rolled_back}
    whole: Folded = fold(ORDER, story.events, **known)  # type: ignore[arg-type]
    base, rest = NOTHING, list(story.events)
    for old in looks:
        base, gone = compact(ORDER, base, rest, old=old, rolled_back=story.rolled_back)
        assert gone <= old
        rest = rest_of(rest, gone)
        again = fold(ORDER, rest, base=base, **known)  # type: ignore[arg-type]
        assert seen(whole.state) == seen(again.state)
        assert {each.id: whole.outcomes[each.id] for each in rest} == again.outcomes
    assert base.events == len(story.events) - len(rest)


@given(continued())
def test_events_that_come_later_and_sort_later_fold_as_if_nothing_had_been_purged(
    case: tuple[tuple[Event, ...], tuple[Event, ...]],
) -> None:
    first, then = case
    base, gone = compact(ORDER, NOTHING, first, old={each.id for each in first})
    assert gone == {each.id for each in first}
    again = fold(ORDER, then, base=base)
    whole = fold(ORDER, [*first, *then])
    assert whole.state == again.state
    assert {each.id: whole.outcomes[each.id] for each in then} == again.outcomes


def test_an_old_event_behind_a_younger_one_stays() -> None:
    young = make.event(lane="fulfillment", status="picking", occurred_at=make.at(1))
    behind = make.event(lane="fulfillment", status="packed", occurred_at=make.at(2))
    _, gone = compact(ORDER, NOTHING, [young, behind], old={behind.id})
    assert frozenset() == gone


def test_an_event_that_a_younger_one_takes_back_stays_with_it() -> None:
    paid = make.event(occurred_at=make.at(1))
    back = make.event(
        lane=None,
        status=None,
        occurred_at=make.at(2),
        revokes=Revocation(paid.source, paid.statement.dedupe_key),
    )
    base, gone = compact(ORDER, NOTHING, [paid, back], old={paid.id})
    assert frozenset() == gone
    restored = fold(ORDER, [paid, back], base=base, rolled_back={back.id})
    assert {"payment": "paid"} == restored.state.lanes_view


def test_what_comes_late_beyond_retention_moves_no_lane_that_was_purged() -> None:
    events = [
        make.event(lane="fulfillment", status=status, occurred_at=make.at(minute))
        for minute, status in ((1, "picking"), (5, "shipped"))
    ]
    base, rest = purged(events, 1, 5)
    assert [] == rest
    late = make.event(lane="fulfillment", status="packed", occurred_at=make.at(3))
    new_lane = make.event(lane="payment", status="paid", occurred_at=make.at(2))
    told, outcomes = statuses([late, new_lane], base)
    assert {"fulfillment": "shipped", "payment": "paid"} == told
    assert [SUPERSEDED, APPLIED] == outcomes


def test_what_comes_late_says_only_attributes_and_money_that_nobody_said_later() -> None:
    refund = Money("refunded", "5", "EUR", "re-1")
    known = make.event(occurred_at=make.at(5), attributes={"vip": True}, money=(refund,))
    base, _ = purged([known], 5)
    late = make.event(
        occurred_at=make.at(1),
        attributes={"vip": False, "carrier": "dpd"},
        money=(Money("refunded", "3", "EUR", "re-1"), Money("refunded", "1", "EUR", "re-2")),
    )
    said = fold(ORDER, [late], base=base).state.attributes_view
    assert {
        "vip": True,
        "carrier": "dpd",
        "refunded_amount": "6",
        "refunded_currency": "EUR",
    } == said


def test_a_lane_that_the_lifecycle_lost_is_left_out_of_the_base() -> None:
    base = Base(State(strands={"weather": Strands("rain")}))
    assert {} == fold(ORDER, [], base=base).state.lanes_view


def test_of_merged_subjects_the_later_base_has_the_say_in_a_lane() -> None:
    first, _ = purged([make.event(status="authorized", occurred_at=make.at(1))], 1)
    then, _ = purged(
        [
            make.event(status="paid", occurred_at=make.at(2)),
            make.event(lane="order", status="confirmed", occurred_at=make.at(2)),
        ],
        2,
    )
    for both in ([first, then], [then, first]):
        base = bases.together(both)
        told = fold(ORDER, [], base=base).state.lanes_view
        assert ({"order": "confirmed", "payment": "paid"}, 3) == (told, base.events)


def test_many_untimed_events_that_repeat_each_other_are_kept_once() -> None:
    events = [
        make.event(lane="fulfillment", status=status, occurred_at=None)
        for status in ("picking", "packed") * 60
    ]
    base, gone = compact(ORDER, NOTHING, events, old={each.id for each in events})
    assert (120, 2) == (len(gone), len(base.untimed))
    assert fold(ORDER, events).state.lanes_view == fold(ORDER, [], base=base).state.lanes_view
