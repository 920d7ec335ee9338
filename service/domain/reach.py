"""Whether a rule can ever win: a lifecycle and its rules in, yes or no out."""

from collections.abc import Collection, Sequence
from collections.abc import Set as AbstractSet

from service.domain.lifecycle import Alarm, Lifecycle, Rule

MOST_STEPS = 5_000
"""Of one search; data too tangled to be searched through is taken for sound."""


def can_hold(lifecycle: Lifecycle, wanted: Rule | Alarm, before: Sequence[Rule]) -> bool:
    """Whether some combination of lane statuses makes it hold and nothing before it."""
    lanes = _choices(lifecycle, (wanted, *before))
    ahead = [_all(lanes[depth:]) for depth in range(len(lanes) + 1)]
    open_ends: list[frozenset[str]] = [frozenset()]
    depths = [0]
    for _ in range(MOST_STEPS):
        if not open_ends:
            return False
        shown, depth = open_ends.pop(), depths.pop()
        if _is_lost(wanted, shown, ahead[depth]):
            continue
        if any(_is_certain(rule, shown, ahead[depth]) for rule in before):
            continue
        if depth == len(lanes):
            return True
        ends = [*(shown | {name} for name in lanes[depth]), shown]
        open_ends.extend(ends)
        depths.extend([depth + 1] * len(ends))
    return True


def _choices(lifecycle: Lifecycle, rules: Sequence[Rule | Alarm]) -> list[list[str]]:
    """Per lane the statuses that the rules tell apart; all others are like having none."""
    told = frozenset().union(*(rule.unless.union(*rule.when) for rule in rules))
    return [
        [name for name in (f"{lane.name}.{word}" for word in lane.statuses) if name in told]
        for lane in lifecycle.lanes.values()
    ]


def _all(lanes: Sequence[Collection[str]]) -> frozenset[str]:
    return frozenset(name for lane in lanes for name in lane)


def _is_lost(rule: Rule | Alarm, shown: AbstractSet[str], ahead: AbstractSet[str]) -> bool:
    """Whether it can no longer hold, whatever the lanes ahead show."""
    possible = shown | ahead
    return not rule.unless.isdisjoint(shown) or any(
        group.isdisjoint(possible) for group in rule.when
    )


def _is_certain(rule: Rule | Alarm, shown: AbstractSet[str], ahead: AbstractSet[str]) -> bool:
    """Whether it holds, whatever the lanes ahead show."""
    return rule.unless.isdisjoint(shown | ahead) and not any(
        group.isdisjoint(shown) for group in rule.when
    )
