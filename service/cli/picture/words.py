"""Words for a lifecycle's rules: its data in, phrases and sentences for people out."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from service.domain.lifecycle import Alarm, Lane, Lifecycle, Rule, Status

_FEW = 2
"""A condition on all but these few statuses of a lane is said by what it leaves out."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """One lane's part in a condition: it shows one of these, or anything but these."""

    lane: str
    words: tuple[str, ...]
    other: bool = False

    def __str__(self) -> str:
        listed = one_of(self.words)
        return (
            f"{self.lane} is any status but {listed}" if self.other else f"{self.lane} is {listed}"
        )


def phrases(lifecycle: Lifecycle, names: Collection[str]) -> list[Phrase]:
    """A group of a rule, lane by lane."""
    return [
        _phrase(lane, inside)
        for lane in lifecycle.lanes.values()
        if (inside := [word for word in lane.statuses if f"{lane.name}.{word}" in names])
    ]


def _phrase(lane: Lane, inside: Sequence[str]) -> Phrase:
    outside = [word for word in lane.statuses if word not in inside]
    if outside and len(outside) <= _FEW and len(inside) > _FEW + len(outside):
        return Phrase(lane.name, tuple(outside), other=True)
    return Phrase(lane.name, tuple(inside))


def sentence(lifecycle: Lifecycle, rule: Rule | Alarm) -> str:
    """When the rule holds, as in `order is cancelled, unless delivery is delivered or lost`."""
    groups = [phrases(lifecycle, group) for group in rule.when]
    said = " and ".join(_either(group, alone=len(groups) == 1) for group in groups)
    if not rule.unless:
        return said
    never = ", or ".join(str(phrase) for phrase in phrases(lifecycle, rule.unless))
    return f"{said}, unless {never}" if said else f"unless {never}"


def _either(group: Sequence[Phrase], *, alone: bool) -> str:
    said = ", or ".join(str(phrase) for phrase in group)
    return said if alone or len(group) == 1 else f"({said})"


def one_of(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    *rest, last = words
    return f"{', '.join(rest)} or {last}" if rest else last


def exits(lane: Lane, status: Status) -> str:
    """Where a status leads, in as few words as are exact."""
    others = lane.statuses.keys() - {status.name}
    higher = {other.name for other in lane.statuses.values() if other.rank > status.rank}
    if not status.exits:
        return "final"
    if status.exits == others:
        return "any"
    if status.exits == higher and len(higher) > 1:
        return "any higher"
    return ", ".join(word for word in lane.statuses if word in status.exits)


def notes(lane: Lane) -> Iterator[str]:
    """What parcels and money do to the lane, a sentence each."""
    for whole, shown in lane.partly.items():
        yield f"While some parcels, not all, have come as far as {whole}: {shown}."
    for shown in dict.fromkeys(lane.backward.values()):
        meant = [word for word, status in lane.backward.items() if status == shown]
        yield f"A return parcel that is {one_of(meant)}: {shown}."
    if (money := lane.settlement) is not None:
        yield (
            f"All of the money {money.paid} was {money.returned}: {money.fully}; "
            f"a part of it: {money.partly}; none after all: {money.restored}."
        )
