"""Rows as a person writes them come in; lanes with every exit spelt out go out."""

from collections.abc import Mapping
from typing import Literal, assert_never

from service.domain.lifecycle import Lane, Settlement, Status

Exits = Literal["any", "higher"] | tuple[str, ...]
"""Every other status of the lane, every status of a higher rank, or exactly these."""

NO_WORDS: Mapping[str, str] = {}


def lane(
    name: str,
    *rows: tuple[str, int, Exits],
    partly: Mapping[str, str] = NO_WORDS,
    backward: Mapping[str, str] = NO_WORDS,
    settlement: Settlement | None = None,
) -> Lane:
    """A lane of (status, rank, exits); no exits means final."""
    ranks = {status: rank for status, rank, _ in rows}
    statuses = {
        status: Status(status, rank, spelt_out(exits, ranks=ranks, status=status))
        for status, rank, exits in rows
    }
    return Lane(name, statuses, partly=partly, backward=backward, settlement=settlement)


def spelt_out(exits: Exits, *, ranks: Mapping[str, int], status: str) -> frozenset[str]:
    """The exits of `status`, which has its own rank among `ranks`."""
    match exits:
        case "any":
            return frozenset(ranks) - {status}
        case "higher":
            return frozenset(name for name, rank in ranks.items() if rank > ranks[status])
        case tuple():
            return frozenset(exits)
        case _:
            assert_never(exits)


def lanes(*each: Lane) -> Mapping[str, Lane]:
    return {one.name: one for one in each}


def any_of(*names: str) -> frozenset[str]:
    """A group of a rule: it is enough that one of these is so."""
    return frozenset(names)
