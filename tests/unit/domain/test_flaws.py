"""Flawed lifecycles are told apart, each flaw in a sentence and with its place."""

from collections.abc import Callable
from dataclasses import replace
from itertools import combinations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain import flaws, reach
from service.domain.flaws import validate
from service.domain.lifecycle import Alarm, Lane, Lifecycle, Rule, Settlement, Status
from service.domain.lifecycles import LIFECYCLES
from service.domain.lifecycles.shorthand import any_of, lane, lanes

ON = any_of("light.on")
OFF = any_of("light.off")


def light(**overrides: object) -> Lane:
    statuses = {"on": Status("on", 20, frozenset({"off"})), "off": Status("off", 10, frozenset())}
    return replace(Lane("light", statuses), **overrides)  # type: ignore[arg-type]


def lamp(**overrides: object) -> Lifecycle:
    good = Lifecycle("lamp", lanes(light()), (Rule((ON,), "bright"),), "dark")
    return replace(good, **overrides)  # type: ignore[arg-type]


def test_sound_data_has_no_flaws() -> None:
    assert [] == validate(lamp())


@pytest.mark.parametrize(
    ("statuses", "flaw"),
    [
        ({}, "lane light has no statuses"),
        (
            {name: Status(name, 10, frozenset()) for name in ("on", "off", "dim")},
            "lane light: rank 10 is used more than once",
        ),
        (
            {"on": Status("on", 0, frozenset())},
            "lane light: the rank of on is not positive",
        ),
        (
            {"on": Status("on", 10, frozenset({"broken"}))},
            "lane light: on exits to broken, which it does not have",
        ),
        (
            {"on": Status("bright", 10, frozenset())},
            "lane light: bright is filed under on",
        ),
    ],
)
def test_a_lane_with_flawed_statuses(statuses: dict[str, Status], flaw: str) -> None:
    assert validate(lamp(lanes={"light": light(statuses=statuses)}))[0] == flaw


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (
            {"partly": {"on": "dim"}},
            ["lane light: partly names dim, which it does not have"],
        ),
        (
            {"partly": {"off": "on"}},
            ["lane light: on is shown for a part of off, but its rank is not lower"],
        ),
        (
            {"backward": {"dim": "off", "on": "off"}},
            ["lane light: backward names dim, which it does not have"],
        ),
        (
            {"settlement": Settlement("", "paid", "off", "on", "broken")},
            [
                "lane light: the settlement does not say which money is returned",
                "lane light: the settlement names broken, which it does not have",
            ],
        ),
        ({"partly": {"on": "off"}, "backward": {"on": "off"}}, []),
    ],
)
def test_what_parcels_and_money_do_names_statuses_of_the_lane(
    overrides: dict[str, object], found: list[str]
) -> None:
    assert found == validate(lamp(lanes=lanes(light(**overrides))))


def test_a_lane_under_another_name_and_a_lifecycle_without_any_are_flaws() -> None:
    assert ["lane light is filed under door"] == validate(lamp(lanes={"door": light()}))
    assert "there is no lane with a status" in validate(lamp(lanes={}))


def test_rules_that_name_nothing_or_nobody_are_flaws() -> None:
    rules = (
        Rule((ON,), ""),
        Rule((OFF,), "gone", unless=any_of("door.open")),
        Rule((frozenset(),), "never"),
        Rule((), "always"),
    )
    assert [
        "rule 1 gives no status",
        "rule 2 (gone) names door.open, which no lane has",
        "rule 3 (never) has an empty condition, which never holds",
        "rule 4 (always) has no condition",
        "the status for when no rule holds is empty",
    ] == validate(lamp(rules=rules, otherwise=""))


@pytest.mark.parametrize(
    ("alarms", "flaw"),
    [
        ([Alarm("", "Broken.", (ON,))], "alarm 1 has no flag"),
        ([Alarm("a", "", (ON,))], "alarm 1 has no sentence"),
        (
            [Alarm("a", "One.", (ON,)), Alarm("a", "Two.", (OFF,))],
            "alarm 2 raises the flag a of another alarm",
        ),
        (
            [Alarm("a", "One.", (any_of("door.open"),))],
            "alarm 1 (a) names door.open, which no lane has",
        ),
        ([Alarm("a", "One.", (ON, OFF))], "alarm 1 (a) can never hold"),
        ([Alarm("a", "One.", (ON,), unless=ON)], "alarm 1 (a) can never hold"),
    ],
)
def test_flawed_alarms(alarms: list[Alarm], flaw: str) -> None:
    assert [flaw] == validate(lamp(alarms=tuple(alarms)))


@pytest.mark.parametrize(
    ("rules", "flaw"),
    [
        (
            (Rule((ON | OFF,), "present"), Rule((OFF,), "off")),
            "rule 2 (off) can never be the first to hold",
        ),
        (
            (Rule((ON, OFF), "both"),),
            "rule 1 (both) can never be the first to hold",
        ),
        (
            (Rule((ON,), "on"), Rule((), "not_on", unless=ON)),
            "some rule always holds, so the status dark for when none does is never shown",
        ),
    ],
)
def test_what_can_never_be_shown_is_a_flaw(rules: tuple[Rule, ...], flaw: str) -> None:
    assert [flaw] == validate(lamp(rules=rules))


def test_a_flaw_says_where_it_is_and_what_may_stand_there() -> None:
    broken = lamp(rules=(Rule((ON, any_of("light.of")), "dim"),))
    [flaw] = flaws.find(broken)
    assert flaw.where == ("overall", 0, "when", 1)
    assert (flaw.word, flaw.choices) == ("light.of", ("light.on", "light.off"))


BREAKS: dict[str, Callable[[Lifecycle], Lifecycle]] = {
    "an unknown name in a rule": lambda good: replace(
        good, rules=(*good.rules, Rule((any_of("no.such"),), "odd"))
    ),
    "a rule told twice": lambda good: replace(good, rules=(*good.rules, good.rules[0])),
    "no last word": lambda good: replace(good, otherwise=""),
    "an unknown name in an alarm": lambda good: replace(
        good, alarms=(*good.alarms, Alarm("odd", "Odd.", (any_of("no.such"),)))
    ),
    "an exit to nowhere": lambda good: with_lane(
        good, lambda first: replace(first, statuses={"a": Status("a", 1, frozenset({"b"}))})
    ),
    "one rank for all": lambda good: with_lane(
        good,
        lambda first: replace(
            first, statuses={word: replace(each, rank=1) for word, each in first.statuses.items()}
        ),
    ),
    "a part of nothing": lambda good: with_lane(
        good, lambda first: replace(first, partly={"x": "y"})
    ),
}


def with_lane(good: Lifecycle, change: Callable[[Lane], Lane]) -> Lifecycle:
    first, *_ = good.lanes.values()
    return replace(good, lanes={**good.lanes, first.name: change(first)})


@pytest.mark.parametrize("name", LIFECYCLES)
@pytest.mark.parametrize("how", BREAKS)
def test_a_shipped_lifecycle_that_was_broken_is_not_taken_for_sound(how: str, name: str) -> None:
    assert validate(BREAKS[how](LIFECYCLES[name]))


NAMES = [f"{strand}.{word}" for strand in "abc" for word in "xyz"]
TABLE = Lifecycle(
    "any",
    lanes(*(lane(strand, ("x", 1, "any"), ("y", 2, "any"), ("z", 3, "any")) for strand in "abc")),
    (),
    "none",
)
GROUPS = st.frozensets(st.sampled_from(NAMES), min_size=1, max_size=4)
RULES = st.builds(
    Rule,
    when=st.lists(GROUPS, max_size=3).map(tuple),
    status=st.just("s"),
    unless=st.frozensets(st.sampled_from(NAMES), max_size=3),
)


@settings(max_examples=150)
@given(rules=st.lists(RULES, min_size=1, max_size=6))
def test_the_search_for_dead_rules_agrees_with_trying_everything(rules: list[Rule]) -> None:
    *before, wanted = rules
    picks = product(*([None, *(f"{strand}.{word}" for word in "xyz")] for strand in "abc"))
    tried = any(
        holds(wanted, set(pick)) and not any(holds(rule, set(pick)) for rule in before)
        for pick in picks
    )
    assert tried == reach.can_hold(TABLE, wanted, before)


def holds(rule: Rule, shown: set[str | None]) -> bool:
    return not rule.unless & shown and all(group & shown for group in rule.when)


def test_data_too_tangled_to_search_through_is_taken_for_sound() -> None:
    # Eight pigeons in seven holes: it cannot be, but to show it takes all ways of trying.
    strands = [lane(f"l{n}", *((f"s{m}", m, ()) for m in range(1, 8))) for n in range(8)]
    holes = [list(strand.statuses) for strand in strands]
    crowded = [
        Rule((any_of(f"l{one}.{hole}"), any_of(f"l{other}.{hole}")), "crowded")
        for one, other in combinations(range(8), 2)
        for hole in holes[0]
    ]
    groups = tuple(any_of(*(f"l{n}.{hole}" for hole in holes[n])) for n in range(8))
    tangled = Lifecycle("pigeons", lanes(*strands), (), "none")
    assert reach.can_hold(tangled, Rule(groups, "housed"), crowded)
    assert not reach.can_hold(tangled, Rule((*groups, frozenset()), "never"), crowded)
