"""What is wrong with a lifecycle: its data in, every flaw with its place and a sentence out."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from service.domain import reach
from service.domain.lifecycle import Alarm, Lane, Lifecycle, Rule, Settlement

Place = tuple[str | int, ...]
"""Keys and positions from the lifecycle down, as a configuration file would name them."""


@dataclass(frozen=True, slots=True)
class Flaw:
    where: Place
    sentence: str
    remedy: str
    choices: tuple[str, ...] = ()
    """What may stand there instead of the word that is not known."""
    word: str = ""


def validate(lifecycle: Lifecycle) -> list[str]:
    """Name every flaw of the data as a sentence; an empty list means it can be used."""
    return [flaw.sentence for flaw in find(lifecycle)]


def find(lifecycle: Lifecycle) -> Iterator[Flaw]:
    """Every flaw; rules are searched for dead ones only when all their names are known."""
    for key, lane in lifecycle.lanes.items():
        yield from _lane(key, lane)
    if not any(lane.statuses for lane in lifecycle.lanes.values()):
        yield Flaw(("lanes",), "there is no lane with a status", "Add one.")
    named = [*_rules(lifecycle), *_alarms(lifecycle)]
    yield from named
    if not named:
        yield from _dead(lifecycle)


def names(lifecycle: Lifecycle) -> list[str]:
    """Every `lane.status` there is."""
    return [
        f"{lane.name}.{status}" for lane in lifecycle.lanes.values() for status in lane.statuses
    ]


def _lane(key: str, lane: Lane) -> Iterator[Flaw]:
    place = ("lanes", key)
    if not lane.statuses:
        yield Flaw(place, f"lane {key} has no statuses", "Add one, or remove the lane.")
    if lane.name != key:
        yield Flaw(place, f"lane {lane.name} is filed under {key}", "Use one name for it.")
    for word, status in lane.statuses.items():
        if status.name != word:
            what = f"lane {key}: {status.name} is filed under {word}"
            yield Flaw((*place, "statuses", word), what, "Use one name for it.")
    yield from _ranks(key, lane)
    yield from _exits(key, lane)
    yield from _parcels(key, lane)
    if lane.settlement is not None:
        yield from _settlement(key, lane, lane.settlement)


def _ranks(key: str, lane: Lane) -> Iterator[Flaw]:
    seen: set[int] = set()
    told: set[int] = set()
    for word, status in lane.statuses.items():
        place = ("lanes", key, "statuses", word, "rank")
        if status.rank < 1:
            yield Flaw(place, f"lane {key}: the rank of {word} is not positive", "Write 1 or more.")
        if status.rank in seen - told:
            told.add(status.rank)
            what = f"lane {key}: rank {status.rank} is used more than once"
            yield Flaw(place, what, "Give every status of a lane its own rank.")
        seen.add(status.rank)


def _exits(key: str, lane: Lane) -> Iterator[Flaw]:
    for word, status in lane.statuses.items():
        place = ("lanes", key, "statuses", word, "exits")
        for unknown in sorted(status.exits - lane.statuses.keys()):
            what = f"lane {key}: {word} exits to {unknown}, which it does not have"
            yield _unknown(place, what, word=unknown, choices=lane.statuses)


def _parcels(key: str, lane: Lane) -> Iterator[Flaw]:
    for table, pairs in (("partly", lane.partly), ("backward", lane.backward)):
        for whole, shown in pairs.items():
            place = ("lanes", key, table, whole)
            for unknown in dict.fromkeys((whole, shown)):
                if unknown not in lane.statuses:
                    what = f"lane {key}: {table} names {unknown}, which it does not have"
                    yield _unknown(place, what, word=unknown, choices=lane.statuses)
    yield from _halfway(key, lane)


def _halfway(key: str, lane: Lane) -> Iterator[Flaw]:
    for whole, shown in lane.partly.items():
        known = whole in lane.statuses and shown in lane.statuses
        if known and lane.statuses[shown].rank >= lane.statuses[whole].rank:
            what = f"lane {key}: {shown} is shown for a part of {whole}, but its rank is not lower"
            yield Flaw(("lanes", key, "partly", whole), what, "Give it a lower rank.")


def _settlement(key: str, lane: Lane, settlement: Settlement) -> Iterator[Flaw]:
    place = ("lanes", key, "settlement")
    for word in ("returned", "paid"):
        if not getattr(settlement, word):
            what = f"lane {key}: the settlement does not say which money is {word}"
            yield Flaw((*place, word), what, "Name a kind of money, as in refunded.")
    for word in ("partly", "fully", "restored"):
        status = getattr(settlement, word)
        if status not in lane.statuses:
            what = f"lane {key}: the settlement names {status}, which it does not have"
            yield _unknown((*place, word), what, word=status, choices=lane.statuses)


def _rules(lifecycle: Lifecycle) -> Iterator[Flaw]:
    for number, rule in enumerate(lifecycle.rules, start=1):
        place = ("overall", number - 1)
        if not rule.status:
            what = f"rule {number} gives no status"
            yield Flaw((*place, "status"), what, "Name the overall status it gives.")
        title = f"rule {number} ({rule.status})"
        yield from _conditions(lifecycle, rule, place, title=title)
    if not lifecycle.otherwise:
        what = "the status for when no rule holds is empty"
        yield Flaw(("otherwise",), what, "Name the overall status to show then.")


def _alarms(lifecycle: Lifecycle) -> Iterator[Flaw]:
    flags: set[str] = set()
    for number, alarm in enumerate(lifecycle.alarms, start=1):
        place = ("alarms", number - 1)
        if not alarm.flag or not alarm.sentence:
            lacks = "sentence" if alarm.flag else "flag"
            what = f"alarm {number} has no {lacks}"
            yield Flaw((*place, lacks), what, "Say in a sentence what is wrong, and flag a word.")
        if alarm.flag in flags:
            what = f"alarm {number} raises the flag {alarm.flag} of another alarm"
            yield Flaw((*place, "flag"), what, "Give every alarm its own flag.")
        flags.add(alarm.flag)
        title = f"alarm {number} ({alarm.flag})"
        yield from _conditions(lifecycle, alarm, place, title=title)


def _conditions(
    lifecycle: Lifecycle, rule: Rule | Alarm, place: Place, *, title: str
) -> Iterator[Flaw]:
    known = names(lifecycle)
    if not rule.when and not rule.unless:
        yield Flaw((*place, "when"), f"{title} has no condition", "Say when it holds.")
    for number, group in enumerate(rule.when):
        if not group:
            what = f"{title} has an empty condition, which never holds"
            yield Flaw((*place, "when", number), what, "Name a lane.status, or remove it.")
    groups: list[tuple[Place, frozenset[str]]] = [
        *((("when", number), group) for number, group in enumerate(rule.when)),
        (("unless",), rule.unless),
    ]
    for inner, group in groups:
        for unknown in sorted(group.difference(known)):
            what = f"{title} names {unknown}, which no lane has"
            yield _unknown((*place, *inner), what, word=unknown, choices=known)


def _unknown(place: Place, what: str, *, word: str, choices: Collection[str]) -> Flaw:
    known = ", ".join(choices)
    return Flaw(place, what, f"Known here: {known}.", choices=tuple(choices), word=word)


def _dead(lifecycle: Lifecycle) -> Iterator[Flaw]:
    for number, rule in enumerate(lifecycle.rules):
        if not reach.can_hold(lifecycle, rule, lifecycle.rules[:number]):
            what = f"rule {number + 1} ({rule.status}) can never be the first to hold"
            remedy = "An earlier rule always wins, or it contradicts itself: move or remove it."
            yield Flaw(("overall", number), what, remedy)
    if not reach.can_hold(lifecycle, Rule((), lifecycle.otherwise), lifecycle.rules):
        what = f"some rule always holds, so the status {lifecycle.otherwise} for when none does"
        yield Flaw(("otherwise",), f"{what} is never shown", "Remove the rule that always holds.")
    for number, alarm in enumerate(lifecycle.alarms):
        if not reach.can_hold(lifecycle, alarm, ()):
            what = f"alarm {number + 1} ({alarm.flag}) can never hold"
            remedy = "A lane has one status at a time: mend its conditions, or remove it."
            yield Flaw(("alarms", number), what, remedy)
