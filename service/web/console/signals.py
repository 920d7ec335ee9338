"""Who listens to this process: names of what changed in, to be told to every open page out."""

import asyncio
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from service.store.ids import new_id

NAMES = ("now", "dead", "jobs", "orders")
MOST = 200
RECENT = 10.0
"""Seconds between the making of a page and its listening, at most: it is told anew of those."""


@dataclass(slots=True, eq=False)
class Listener:
    """One open page; what it was not told yet takes up no more room than all names."""

    pending: set[str] = field(default_factory=set)
    moved: asyncio.Event = field(default_factory=asyncio.Event)

    def tell(self, names: Iterable[str]) -> None:
        self.pending.update(names)
        self.moved.set()

    async def news(self, within: float) -> Sequence[str]:
        """What changed; nothing when nothing did for so many seconds, or it is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await self.moved.wait()
        self.moved.clear()
        names = sorted(self.pending)
        self.pending.clear()
        return names


class Signals:
    """Of one process; nobody is told anything about what changed, only that it did."""

    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._listeners: set[Listener] = set()
        self._told: dict[str, tuple[int, float]] = {}
        self._number = 0
        self._id = new_id()
        self.anybody = asyncio.Event()
        """Set while somebody listens."""
        self.over = False

    def __len__(self) -> int:
        return len(self._listeners)

    def join(self, last: str = "") -> Listener | None:
        """Listen from now on, after what was `last` heard; None when too many do."""
        if self.over or len(self._listeners) >= self._most:
            return None
        listener = Listener()
        self._listeners.add(listener)
        self.anybody.set()
        if missed := self._missed(last):
            listener.tell(missed)
        return listener

    def leave(self, listener: Listener) -> None:
        self._listeners.discard(listener)
        if not self._listeners:
            self.anybody.clear()

    def tell(self, names: Collection[str]) -> None:
        if not names:
            return
        self._number += 1
        now = asyncio.get_running_loop().time()
        self._told |= dict.fromkeys(names, (self._number, now))
        for listener in self._listeners:
            listener.tell(names)

    @property
    def place(self) -> str:
        """What a page that was told everything has heard."""
        return f"{self._id}-{self._number}"

    def end(self) -> None:
        """Let everybody go, and nobody in."""
        self.over = True
        for listener in self._listeners:
            listener.moved.set()

    def _missed(self, last: str) -> Collection[str]:
        """What changed since then; everything, if it was heard from another process."""
        process, _, number = last.rpartition("-")
        if not last:
            since = asyncio.get_running_loop().time() - RECENT
            return [name for name, (_, at) in self._told.items() if at >= since]
        if process != str(self._id) or not number.isdecimal():
            return NAMES
        return [name for name, (told, _) in self._told.items() if told > int(number[:18])]
