"""Names mean one subject, or none: whatever the order in which they are claimed."""

import random
from dataclasses import replace
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from service.domain import keys, names
from service.domain.events import Alias, Revocation
from service.domain.names import MOST_SUBJECTS, Claim, Conflict, Name, Speaker
from tests import make

A, B, C = (Name("order", "tracking:cdek", each) for each in "abc")


def claim(name: Name, subject: int, kind: names.Kind = "source", by: str = "shop") -> Claim:
    return Claim(name, subject, kind, by)


def speaker(number: int, *spoken: Name, subject: int | None = None) -> Speaker:
    return Speaker(UUID(int=number), "courier", spoken, subject)


def test_a_name_that_nobody_claims_means_nothing() -> None:
    assert names.resolve([]) is None


def test_all_who_claim_must_name_one_subject() -> None:
    assert 1 == names.resolve([claim(A, 1), claim(A, 1, by="wms")])
    assert Conflict((1, 2)) == names.resolve([claim(A, 2), claim(A, 1)])


def test_an_operator_outranks_everybody_else() -> None:
    assert 2 == names.resolve([claim(A, 1), claim(A, 2, "operator", "anna"), claim(A, 3)])


def test_an_operator_decides_for_all_names_of_one_event() -> None:
    book = {A: frozenset({claim(A, 1)}), B: frozenset({claim(B, 2, "operator", "anna")})}
    assert 2 == names.known_as(book, [A, B])


def test_who_found_its_subject_speaks_for_others() -> None:
    heard = names.introduce(
        {}, [speaker(3, C), speaker(2, B, C), speaker(1, A, B), speaker(9, A, subject=7)]
    )
    assert {UUID(int=n): 7 for n in (1, 2, 3)} == heard.meant
    assert {A, B, C} == {name for name, said in heard.book.items() if names.resolve(said) == 7}


def test_a_name_that_everybody_claims_is_not_listed_for_ever() -> None:
    many = [speaker(n, A, subject=n) for n in range(1, 100)]
    assert MOST_SUBJECTS == len(names.introduce({}, many).book[A])


def test_guests_do_not_hold_each_other() -> None:
    assert set() == names.supported([], [speaker(1, A, B), speaker(2, B, A)])
    assert {UUID(int=1), UUID(int=2)} == names.supported([A], [speaker(1, A, B), speaker(2, B)])


def test_what_a_change_of_claims_frees_and_what_it_takes() -> None:
    before = {A: frozenset({claim(A, 1)}), B: frozenset[Claim](), C: frozenset({claim(C, 1)})}
    after = {**before, A: frozenset({claim(A, 1), claim(A, 2)}), B: frozenset({claim(B, 2)})}
    changes = names.changed(before, after)
    assert [B] == names.released(changes)
    assert {1: {A}} == names.contested(changes)


numbers = st.integers(1, 4)
spoken = st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=3, unique=True)
speakers = st.lists(st.tuples(spoken, st.none() | numbers), max_size=8)


@given(speakers, st.randoms())
def test_the_order_within_a_batch_changes_nothing(
    said: list[tuple[list[Name], int | None]], chance: random.Random
) -> None:
    batch = [speaker(n, *spoken, subject=at) for n, (spoken, at) in enumerate(said)]
    shuffled = chance.sample(batch, len(batch))
    assert names.introduce({}, batch) == names.introduce({}, shuffled)


@given(speakers)
def test_what_resolves_is_claimed_and_what_does_not_claims_nothing(
    said: list[tuple[list[Name], int | None]],
) -> None:
    batch = [speaker(n, *spoken, subject=at) for n, (spoken, at) in enumerate(said)]
    heard = names.introduce({}, batch)
    at = {each.event_id: each.subject or heard.meant[each.event_id] for each in batch}
    for each in batch:
        mine = {claim.subject for name in each.names for claim in heard.book.get(name, ())}
        place = at[each.event_id]
        assert not isinstance(place, int) or place in mine


@given(speakers)
def test_one_subject_is_found_by_every_chain_of_names(
    said: list[tuple[list[Name], int | None]],
) -> None:
    """With a single subject there is nothing to contradict: whoever is reached is found."""
    batch = [speaker(n, *spoken, subject=at and 1) for n, (spoken, at) in enumerate(said)]
    heard = names.introduce({}, batch)
    rooted = [name for each in batch if each.subject for name in each.names]
    guests = [each for each in batch if each.subject is None]
    found = {each for each, meant in heard.meant.items() if meant == 1}
    assert names.supported(rooted, guests) == found


def test_a_denial_silences_all_but_operators() -> None:
    denial = claim(A, 1, "denial", "anna")
    assert names.resolve([claim(A, 1), denial]) is None
    assert names.resolve([claim(A, 1, "destination", "crm"), denial]) is None
    assert 1 == names.resolve([claim(A, 1, "operator", "bob"), denial])


def test_a_denial_is_about_one_name_of_one_subject() -> None:
    denial = claim(A, 1, "denial", "anna")
    assert 2 == names.resolve([claim(A, 1), claim(A, 2), denial])
    book = {A: frozenset({claim(A, 1), denial}), B: frozenset({claim(B, 1)})}
    assert 1 == names.known_as(book, [A, B])


def test_who_takes_back_an_event_is_known_by_that_event() -> None:
    said = make.statement(ref=None, revokes=Revocation("shop", "evt"))
    (name,) = names.of(said)
    assert ("order", "event:shop", keys.dedupe_hash("shop", "evt").hex()) == name
    assert (Name("order", "x", "1"),) == names.of(replace(said, aliases=(Alias("x", "1"),)))
    assert () == names.of(replace(said, ref="1001"))


denials = st.lists(st.tuples(st.sampled_from([A, B, C]), numbers), max_size=5)


@given(speakers, denials, st.randoms())
def test_what_is_denied_is_claimed_by_no_event_in_any_order(
    said: list[tuple[list[Name], int | None]],
    denied: list[tuple[Name, int]],
    chance: random.Random,
) -> None:
    book = {
        name: frozenset(claim(name, at, "denial", "anna") for each, at in denied if each == name)
        for name in (A, B, C)
    }
    batch = [speaker(n, *spoken, subject=at) for n, (spoken, at) in enumerate(said)]
    heard = names.introduce(book, batch)
    assert heard == names.introduce(book, chance.sample(batch, len(batch)))
    claimed = {
        (made.name, made.subject) for name, now in heard.book.items() for made in now - book[name]
    }
    assert claimed.isdisjoint(denied)


claims = st.lists(
    st.builds(
        claim,
        st.sampled_from([A, B]),
        numbers,
        st.sampled_from(["source", "operator", "destination", "denial"]),
        st.sampled_from(["shop", "anna"]),
    ),
    max_size=8,
)


@given(claims, st.randoms())
def test_what_a_name_means_is_a_function_of_the_set_of_claims(
    said: list[Claim], chance: random.Random
) -> None:
    assert names.resolve(said) == names.resolve([*chance.sample(said, len(said)), *said])
    assert names.counting(names.counting(said)) == names.counting(said)


@given(claims)
def test_a_denied_claim_might_as_well_not_be_there(said: list[Claim]) -> None:
    denied = {(each.name, each.subject) for each in said if each.kind == "denial"}
    kept = [
        each
        for each in said
        if each.kind == "operator"
        or (each.kind != "denial" and (each.name, each.subject) not in denied)
    ]
    assert names.resolve(said) == names.resolve(kept)
