"""The lines that tell the road of a request: whoever knows its id finds every station by it.

The first one is the listener's own `request`, to which the intake adds what became of it.
Lines are shared where much happens at once. What is listed in them is bounded, never left out: what
does not fit into one line goes into the next.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from uuid import UUID

import structlog

log = structlog.get_logger()

ROWS = 20
"""Subjects or syncs in one line."""
IDS = 20
"""Ids listed of one row; the others are counted."""

T = TypeVar("T")
Row = dict[str, object]


def folded(rows: Iterable[Row]) -> None:
    """Subjects with the version they are at now, or events with the end they came to."""
    for some in _lines(rows):
        log.info("folded", events=some)


def synced(rows: Iterable[Row], *, destination: str) -> None:
    """Versions a destination is known to show."""
    for some in _lines(rows):
        log.info("synced", destination=destination, syncs=some)


def not_synced(rows: Iterable[Row], *, destination: str) -> None:
    """Versions a destination did not take, and what happens next."""
    for some in _lines(rows):
        log.warning("not_synced", destination=destination, syncs=some)


def listed(ids: Sequence[UUID]) -> list[str]:
    """The first ids, and how many more there are."""
    shown = [str(each) for each in ids[:IDS]]
    return [*shown, f"and {len(ids) - IDS} more"] if len(ids) > IDS else shown


def _lines(rows: Iterable[T]) -> Iterator[list[T]]:
    left = iter(rows)
    while some := list(islice(left, ROWS)):
        yield some
