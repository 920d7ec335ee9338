"""The lines that tell the road of a request: whoever knows its id finds every station by it.

Lines are shared where much happens at once. What is listed in them is bounded, never left out: what
does not fit into one line goes into the next.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar
from uuid import UUID

import structlog

log = structlog.get_logger()

ROWS = 20
"""Requests, subjects or syncs in one line."""
MOMENT = 0.1
IDS = 20
"""Ids listed of one row; the others are counted."""

T = TypeVar("T")
Row = dict[str, object]


class Accepted:
    """Requests and those of their events that were new, after the commit.

    A line for each commit would cost more than all else that is told while accepting: what comes
    within a moment shares one.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[str]] = {}

    def note(self, request_id: UUID, event_ids: Sequence[UUID]) -> None:
        if not event_ids:
            return
        if not self._rows:
            asyncio.get_running_loop().call_later(MOMENT, self.flush)
        self._rows[str(request_id)] = listed(event_ids)
        if len(self._rows) >= ROWS:
            self.flush()

    def flush(self) -> None:
        if self._rows:
            log.info("accepted", requests=self._rows)
            self._rows = {}


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
