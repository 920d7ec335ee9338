"""Reading: which JSON values become identities and facts, and where the bounds are."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.intake.reading import mapping
from service.intake.reading.mapping import Dating, Naming, Unreadable
from service.intake.reading.paths import JSON, Path
from service.settings import Source

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)


def naming(ref: str = "order", **subject: object) -> Naming:
    source = Source.model_validate({"name": "shop", "provider": "generic", "subject": subject})
    return Naming.of(source, ref)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("A-1", "A-1"),
        (1001, "1001"),
        (2**64 - 1, "18446744073709551615"),
        ("я" * 128, "я" * 128),
        ("я" * 129, None),
        ("", None),
        (" \t", None),
        ("a\0b", None),
        (1.0, None),
        (True, None),
        (None, None),
        (["A-1"], None),
        ({"id": 1}, None),
    ],
)
def test_an_identity_is_a_short_text_or_a_whole_number(value: JSON, expected: str | None) -> None:
    assert expected == mapping.name(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, True),
        (1500, "1500"),
        (149.9, "149.9"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (1e22, "10000000000000000000000"),
        (1e300, None),
        ("", ""),
        ("x" * 1024, "x" * 1024),
        ("x" * 1025, None),
        ("a\0b", None),
        ([], None),
    ],
)
def test_a_fact_is_a_flag_a_decimal_or_a_bounded_text(value: JSON, expected: object) -> None:
    assert expected == mapping.attribute(value)


@given(st.decimals(min_value=-(10**9), max_value=10**9, places=2))
def test_cents_survive_the_way_through_a_float(amount: object) -> None:
    read = mapping.attribute(mapping.read(str(amount).encode()))
    assert isinstance(read, str)
    assert str(amount).rstrip("0").rstrip(".") == read.removesuffix(".0") or read in {"0", "-0.0"}


def test_facts_that_cannot_be_kept_are_named() -> None:
    paths = {"note": Path.of("note"), "vip": Path.of("vip"), "gone": Path.of("gone")}
    kept, lost = mapping.attributes(paths, {"note": "x" * 2000, "vip": True})
    assert {"vip": True} == kept
    assert lost.endswith("64 in all): note.")


def test_more_facts_than_the_limit_are_left_out() -> None:
    paths = {f"fact_{number}": Path.of(f"f{number}") for number in range(65)}
    kept, lost = mapping.attributes(paths, {f"f{number}": number for number in range(65)})
    assert 64 == len(kept)
    assert lost.endswith(": fact_64.")


def test_a_function_that_does_not_suit_the_data_finds_nothing() -> None:
    assert Path.of("sum(items[].price)").find({"items": [{"price": "ten"}]}) is None
    assert 30 == Path.of("sum(items[].price)").find({"items": [{"price": 10}, {"price": 20}]})


def test_of_a_key_written_twice_the_last_counts() -> None:
    assert {"id": 2} == mapping.read(b'{"id":1,"id":2}')


def test_nesting_is_bounded_in_lists_and_objects() -> None:
    assert mapping.read(b"[" * 64 + b"]" * 64)
    assert mapping.read(b"[" + b"{}," * 200 + b"{}]")
    for body in [b"[" * 65 + b"]" * 65, b'{"a":' * 65 + b"1" + b"}" * 65, b"[" * 100_000]:
        with pytest.raises(Unreadable):
            mapping.read(body)


def test_the_steps_of_normalize_are_taken_in_order() -> None:
    rule = naming(normalize=("trim", "strip_prefix:#", "upper"))
    assert "A-1" == rule.find({"order": " #a-1 "}).ref
    assert "#a-1" == naming(normalize=("trim", "lower")).find({"order": " #A-1"}).ref


def test_an_unknown_step_is_an_error_of_the_programmer() -> None:
    with pytest.raises(ValueError, match="no normalize step 'shout'"):
        mapping.normal("a", "shout")


def test_a_reference_that_normalizing_empties_or_stretches_is_none() -> None:
    assert naming(normalize=("strip_prefix:#",)).find({"order": "#"}).ref is None
    assert naming(normalize=("upper",)).find({"order": "ŉ" * 128}).ref is None


def test_a_scope_is_read_from_the_event_or_fixed_in_quotes() -> None:
    assert "eu" == naming(scope="shop").find({"order": "1", "shop": "eu"}).scope
    assert "shop-eu" == naming(scope="'shop-eu'").find({"order": "1"}).scope
    assert "" == naming().find({"order": "1"}).scope


def test_a_reference_without_its_scope_is_no_reference() -> None:
    named = naming(scope="shop").find({"order": "1"})
    assert (None, "names no scope: there is nothing at `shop`.") == (named.ref, named.note)


def test_long_expressions_are_cut_in_sentences() -> None:
    assert f"`{'a' * 120}…`" == mapping.shown("a" * 121)


def dating(zone: str = "UTC") -> Dating:
    source = Source.model_validate({"name": "shop", "provider": "generic", "timezone": zone})
    return Dating.of(source)


def test_a_time_without_a_zone_is_read_in_the_zone_of_the_source() -> None:
    read = dating("Europe/Berlin").read("2026-01-15T11:30:00", received_at=AT)
    assert (AT, "") == read


def test_a_time_just_within_the_future_allowed_is_believed() -> None:
    ahead = AT + timedelta(minutes=10)
    assert (ahead, "") == dating().read(ahead.isoformat(), received_at=AT)
    later = ahead + timedelta(seconds=1)
    expected = (None, "Untimed: its time lies 601 s after its receipt.")
    assert expected == dating().read(later.isoformat(), received_at=AT)
