"""A seed comes in, rounds of one to three faults with their times come out; the same every time."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.torture.faults.base import Fault

SWARM = (0.2, 0.5, 0.3)
"""How often one, two and three faults meet."""
CALM = (0.5, 3.0)
"""Seconds between rounds."""


@dataclass(frozen=True, slots=True)
class Turn:
    """One fault of a round: how long after the round begins, and how long."""

    fault: Fault
    after: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Round:
    turns: Sequence[Turn]
    calm: float
    """Seconds of nothing afterwards."""


def rounds(kinds: Sequence[type[Fault]], *, seed: int, brisk: bool, alone: bool) -> Iterator[Round]:
    """Every kind in turn, in a shuffled order, each with one or two others by their weights.

    No two of one target meet. `brisk` makes all as short as they may be; `alone` adds no others.
    """
    chance = random.Random(f"rounds {seed}")
    weights = [kind.weight for kind in kinds]
    waiting: list[type[Fault]] = []
    while True:
        if not waiting:
            waiting = chance.sample(kinds, len(kinds))
        taken = [waiting.pop()]
        size = 1 if alone else chance.choices((1, 2, 3), SWARM)[0]
        for other in chance.choices(kinds, weights, k=size * 3):
            if len(taken) < size and all(other.target != each.target for each in taken):
                taken.append(other)
        yield Round(
            [_turn(kind, chance, brisk=brisk) for kind in taken],
            chance.uniform(*CALM) * (0.3 if brisk else 1),
        )


def _turn(kind: type[Fault], chance: random.Random, *, brisk: bool) -> Turn:
    least, most = kind.seconds
    seconds = least if brisk else least + (most - least) * chance.random() ** 2
    after = chance.uniform(0.0, 0.3 if brisk else 2.0)
    return Turn(kind(random.Random(chance.random())), after, seconds)
