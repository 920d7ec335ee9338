"""What came and went in the last hour: rows are counted once, and the latest ones again."""

from dataclasses import dataclass, field

from service.domain import hour
from service.domain.hour import STRIDE, STRIDES, Hour
from service.store import now
from service.store.now import Since
from service.store.pool import Connection

AGAIN = 20.0
"""Seconds after which a row that was accepted, or sent, is surely to be seen."""
SHORT = 4
"""Where an hour cannot be counted in time, its last strides can."""


@dataclass(slots=True)
class Traffic:
    """Kept between two looks, so that each counts only what is new."""

    came: Hour = field(default_factory=Hour)
    went: Hour = field(default_factory=Hour)
    failed: Hour = field(default_factory=Hour)
    heard: dict[str, float] = field(default_factory=dict)
    """By source: when the last event was accepted."""
    reached: dict[str, float] = field(default_factory=dict)
    """By destination: when it last took or answered something."""
    _counted: float | None = None
    _reach: int = STRIDES

    async def count(self, tx: Connection, at: float) -> None:
        """Come up to `at`; a count that fails is tried over a shorter time."""
        end = hour.stride_of(at)
        begin = end - self._reach + 1
        if self._counted is not None:
            begin = max(begin, hour.stride_of(self._counted - AGAIN))
        reach, self._reach = self._reach, SHORT
        since = Since(begin * STRIDE, STRIDE)
        came, went = await now.came(tx, since), await now.went(tx, since)
        self._reach, self._counted = reach if self._counted is None else STRIDES, at
        self.came.replace(begin, ((r["source"], r["stride"], r["events"]) for r in came))
        self.went.replace(begin, ((r["destination"], r["stride"], r["writes"]) for r in went))
        self.failed.replace(begin, ((r["destination"], r["stride"], r["failures"]) for r in went))
        for each in (self.came, self.went, self.failed):
            each.forget(end)
        for row in came:
            self.heard[row["source"]] = max(self.heard.get(row["source"], 0.0), row["last"])
        for row in went:
            if row["last"] is not None:
                name = row["destination"]
                self.reached[name] = max(self.reached.get(name, 0.0), row["last"])
