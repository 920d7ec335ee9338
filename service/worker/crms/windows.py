"""Reading back from a CRM that tells the time of a change to the second and has no cursor.

A moment or our own cursor comes in, what to ask for next goes out, so that no record is missed or
told twice however many share one second. A page that is cut leaves its last second out; that
second is then read alone, in the order of ids, and reading goes on after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from service.worker.crms.base import Page, Record

SECOND = timedelta(seconds=1)
OVERLAP = 2 * SECOND
"""A change may become visible a little after the time it bears."""


@dataclass(frozen=True, slots=True)
class Window:
    """Changes from a second on, oldest first; or those of one second alone, by id."""

    since: datetime
    alone: bool = False
    above: str = ""
    """Only ids behind this one."""

    @property
    def before(self) -> datetime | None:
        return self.since + SECOND if self.alone else None


def opened(since: datetime, cursor: str | None) -> Window:
    """Where to read; the cursor is one of ours."""
    if cursor is None:
        return Window(_whole(since - OVERLAP))
    stamp, bar, above = cursor.partition("|")
    return Window(datetime.fromisoformat(stamp), bool(bar), above)


def turned(window: Window, records: Sequence[Record], *, full: bool) -> Page:
    """The page to hand out, and the cursor of the next; `full` when there may be more."""
    stamps = [each.modified_at for each in records if each.modified_at is not None]
    if window.alone:
        following = window.since.isoformat() + f"|{records[-1].remote_id}" if full else ""
        return Page(records, following or (window.since + SECOND).isoformat())
    if not full or not stamps:
        return Page(records, None)
    last = _whole(stamps[-1])
    kept = [each for each in records if each.modified_at is None or each.modified_at < last]
    return Page(kept, f"{last.isoformat()}|")


def spaced(moment: datetime, zone: tzinfo = UTC) -> str:
    """As `2026-11-21 10:00:00`, the way these vendors write it."""
    return moment.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S")


def _whole(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(microsecond=0)
