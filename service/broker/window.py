"""The outbox and the workers' progress go in, what may be handed to the broker now comes out."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service import telemetry
from service.store import outbox, progress
from service.store.outbox import Watermark
from service.store.pool import Connection

WINDOW = 2000
"""Entries with the broker and the workers at a time; what is above waits, sorted, in the outbox."""
MARGIN = timedelta(seconds=8)
"""A message may reach its queue this much later than its publish time says.

It is shorter than the lease, so it delays no redrive."""
FULL_SCAN = 60.0
"""Seconds between readings from the very start of the indexes, in case time was not monotone."""


@dataclass(frozen=True, slots=True)
class View:
    at: datetime
    """Time of the transaction, by the database clock."""
    room: int
    passed: datetime | None
    """The broker has lost what was published before and is not finished; None: cannot be told."""
    watermark: Watermark


class Window:
    """Remembers between looks from where the indexes need reading."""

    def __init__(self, queues: Sequence[str], *, size: int = WINDOW) -> None:
        self._queues = queues
        self._size = size
        self._watermark = Watermark()
        self._full_scan_at = 0.0

    async def look(self, tx: Connection) -> View:
        taken = await progress.read(tx, self._queues)
        passed = taken - MARGIN if taken is not None else None
        seen = await outbox.survey(tx, self._start(), cap=self._size, passed=passed)
        self._watermark = seen.watermark
        telemetry.UNFINISHED.set(seen.unfinished)
        return View(seen.at, max(0, self._size - seen.unfinished), passed, seen.watermark)

    def _start(self) -> Watermark:
        now = asyncio.get_running_loop().time()
        if now < self._full_scan_at:
            return self._watermark
        self._full_scan_at = now + FULL_SCAN
        return Watermark()
