"""What differs from what a record should show, and what of that a person did."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.drift import compare, same

WORDS = st.text(max_size=6) | st.sampled_from(["1", "true", "0", "no", "12.50", "007", "", " "])
RECORDS = st.dictionaries(st.sampled_from("abc"), WORDS | st.none(), max_size=3)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paid", "paid "),
        ("12.50", "12.5"),
        ("1000", "1E+3"),
        ("-0", "0"),
        ("true", "True"),
        ("true", "1"),
        ("no", "0"),
        ("", None),
        (None, None),
    ],
)
def test_a_value_is_the_same_however_a_crm_writes_it(one: str | None, other: str | None) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("paid", "Paid"),
        ("007", "7"),
        ("12.50", "12.51"),
        ("1", "0"),
        ("true", "0"),
        ("nan", "NaN"),
        ("0", None),
        ("٣", "3"),
    ],
)
def test_what_may_mean_something_else_is_different(one: str | None, other: str | None) -> None:
    assert not same(one, other)
    assert not same(other, one)


@given(WORDS | st.none(), WORDS | st.none())
def test_sameness_has_no_direction_and_everything_is_itself(one: str, other: str) -> None:
    assert same(one, other) == same(other, one)
    assert same(one, one)


@given(wanted=RECORDS, more=RECORDS, written=RECORDS, by_us=st.booleans() | st.none())
def test_what_shows_all_it_should_differs_in_nothing(
    wanted: dict[str, str | None],
    more: dict[str, str | None],
    written: dict[str, str | None],
    *,
    by_us: bool | None,
) -> None:
    drift = compare(wanted, {**more, **wanted}, written=written, by_us=by_us)
    assert (dict(drift.differences), drift.by_person) == ({}, frozenset())


@given(RECORDS, RECORDS, RECORDS, st.lists(RECORDS, max_size=2))
def test_only_what_differs_can_be_a_persons(
    wanted: dict[str, str | None],
    found: dict[str, str | None],
    written: dict[str, str | None],
    intents: list[dict[str, str | None]],
) -> None:
    drift = compare(wanted, found, written=written, intents=intents)
    assert drift.by_person <= drift.differences.keys() <= wanted.keys()
    assert drift.by_person <= written.keys()
    ours = compare(wanted, found, written=written, intents=intents, by_us=True)
    assert ours.by_person == frozenset()
    for known in (written, *intents):
        untouched = compare(wanted, {**found, **known}, written=written, intents=[*intents, known])
        assert not untouched.by_person & known.keys()


def test_a_person_is_who_left_neither_our_last_value_nor_an_open_one() -> None:
    written, open_intents = {"stage": "paid"}, [{"stage": "packed"}]
    for theirs, persons in (("paid", []), ("packed", []), ("lost", ["stage"]), ("shipped", [])):
        drift = compare(
            {"stage": "shipped"}, {"stage": theirs}, written=written, intents=open_intents
        )
        assert sorted(drift.by_person) == persons


def test_what_stood_there_before_we_came_is_nobodys_change() -> None:
    drift = compare({"stage": "paid"}, {"stage": "new"}, written=None)
    assert drift.differences == {"stage": {"ours": "paid", "theirs": "new"}}
    assert drift.by_person == frozenset()


def test_a_field_that_was_not_read_differs_but_was_changed_by_nobody() -> None:
    drift = compare({"stage": "paid"}, {}, written={"stage": "new"})
    assert (drift.differences, drift.by_person) == (
        {"stage": {"ours": "paid", "theirs": None}},
        frozenset(),
    )
