"""What a replay changes: the meaning of chosen events, never what stands under another key."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import Event, Fate, Outcome, Statement
from service.domain.replay import DOUBLES, USUAL, Choice, Plan, Stand, decide, farewell
from tests import make

CHOICE = Choice(USUAL)


def stand(place: str, **said: object) -> Stand:
    dead = place in {"unreadable", "unmapped", "unresolved_subject", "poison"}
    fate = Fate(place) if dead and place != "poison" else Fate.FOLD
    return Stand(make.event(**{"fate": fate, **said}), place, dead)


def test_an_unmapped_event_takes_the_meaning_it_has_now() -> None:
    old = stand("unmapped", dedupe_key="k1", lane=None, status=None)
    now = make.statement(dedupe_key="k1")
    assert decide([old], [now], elsewhere={"k1"}, choice=CHOICE) == Plan(rewrites=((old, now),))


def test_what_reads_as_before_is_left_alone_whatever_its_note_says() -> None:
    old = stand("unmapped", dedupe_key="k1", note="said so then")
    now = make.statement(dedupe_key="k1", fate=Fate.UNMAPPED, note="said so now")
    assert decide([old], [now], elsewhere={"k1"}, choice=CHOICE).empty


def test_an_event_that_was_not_chosen_keeps_its_meaning() -> None:
    old = stand("applied", dedupe_key="k1")
    now = make.statement(dedupe_key="k1", status="refunded")
    assert decide([old], [now], elsewhere={"k1"}, choice=CHOICE).empty
    chosen = Choice(frozenset({"applied"}))
    assert decide([old], [now], elsewhere={"k1"}, choice=chosen).rewrites == ((old, now),)


def test_a_named_event_is_chosen_wherever_it_stands_but_while_it_is_owed() -> None:
    applied, pending = stand("applied", dedupe_key="k1"), stand("pending", dedupe_key="k2")
    said = [make.statement(dedupe_key=key, status="refunded") for key in ("k1", "k2")]
    named = Choice(USUAL, frozenset({applied.event.id, pending.event.id}))
    plan = decide([applied, pending], said, elsewhere=(), choice=named)
    assert [each for each, _ in plan.rewrites] == [applied]


def test_dead_is_the_word_for_every_reason() -> None:
    old = stand("poison", dedupe_key="k1")
    now = make.statement(dedupe_key="k1", status="refunded")
    assert decide([old], [now], elsewhere=(), choice=CHOICE).empty
    assert not decide([old], [now], elsewhere=(), choice=Choice({"dead"})).empty


def test_an_unreadable_request_becomes_the_events_it_holds() -> None:
    old = stand("unreadable", dedupe_key="hash")
    now = [make.statement(dedupe_key="k1"), make.statement(dedupe_key="k2")]
    plan = decide([old], now, elsewhere={"hash", "k2"}, choice=CHOICE)
    assert plan == Plan(accepts=(now[0],), discards=(old,), known=1)
    assert farewell(plan) == "replayed into 2 events, 1 of them known before"


def test_a_request_that_can_be_read_no_more_stays_what_it_was() -> None:
    old = stand("ignored", dedupe_key="k1")
    now = make.statement(dedupe_key="hash", fate=Fate.UNREADABLE)
    assert decide([old], [now], elsewhere=(), choice=CHOICE).empty


def test_other_keys_are_not_taken_beside_what_stands_under_the_old_ones() -> None:
    applied, lost = stand("applied", dedupe_key="k1"), stand("unmapped", dedupe_key="k2")
    now = [make.statement(dedupe_key="n1"), make.statement(dedupe_key="n2")]
    plan = decide([applied, lost], now, elsewhere=(), choice=CHOICE)
    assert plan == Plan(left=DOUBLES)
    both = Choice(frozenset({"applied", "unmapped"}))
    plan = decide([applied, lost], now, elsewhere=(), choice=both)
    assert (plan.accepts, plan.discards) == (tuple(now), (applied, lost))


def test_an_empty_request_may_hold_events_now_and_a_key_is_taken_once() -> None:
    now = [make.statement(dedupe_key="k1"), make.statement(dedupe_key="k1", status="refunded")]
    assert decide([], now, elsewhere=(), choice=CHOICE) == Plan(accepts=(now[0],))


KEYS = st.sampled_from(["a", "b", "c", "d"])
PLACES = st.sampled_from(["applied", "ignored", "unmapped", "unreadable", "discarded", "pending"])
STANDS = st.dictionaries(KEYS, PLACES, max_size=4)
SAID = st.dictionaries(
    KEYS, st.tuples(st.sampled_from(["paid", "refunded"]), st.sampled_from(list(Fate))), max_size=4
)
WORDS = st.frozensets(PLACES.filter(lambda place: place != "pending"))


@given(STANDS, SAID, st.frozensets(KEYS), WORDS)
def test_a_second_replay_finds_nothing_to_do(
    places: dict[str, str],
    said: dict[str, tuple[str, Fate]],
    elsewhere: frozenset[str],
    words: frozenset[str],
) -> None:
    stands = [stand(place, dedupe_key=key) for key, place in places.items()]
    now = [
        make.statement(dedupe_key=key, status=status, fate=fate)
        for key, (status, fate) in said.items()
    ]
    choice = Choice(words)
    plan = decide(stands, now, elsewhere=elsewhere, choice=choice)
    after = carried_out(stands, plan)
    assert decide(after, now, elsewhere=elsewhere, choice=choice).empty
    keys = [each.key for each in after]
    assert len(keys) == len(set(keys))
    untouched = [each for each in stands if not choice.takes(each)]
    assert all(each in after for each in untouched)


def carried_out(stands: list[Stand], plan: Plan) -> list[Stand]:
    """What the store and the fold make of a plan."""
    gone = {each.event.id for each in plan.discards}
    mended = {each.event.id: said for each, said in plan.rewrites}
    kept = [
        Stand(each.event, Outcome.DISCARDED)
        if each.event.id in gone
        else folded(mended[each.event.id], each.event)
        if each.event.id in mended
        else each
        for each in stands
    ]
    return kept + [folded(said, make.event()) for said in plan.accepts]


def folded(said: Statement, event: Event) -> Stand:
    made = Event(event.id, event.source, said, event.received_at + timedelta(0))
    match said.fate:
        case Fate.FOLD:
            return Stand(made, Outcome.APPLIED)
        case Fate.IGNORED:
            return Stand(made, Outcome.IGNORED)
        case fate:
            return Stand(made, fate.value, dead=True)
