"""The ledger for those who look at it: counted a few spans at a time, the newest first.

What was counted is kept and counted anew in turn, the newest span each time. Every row balances by
itself, so the sums balance although spans are as of different moments, and a row that is out of
place anywhere is found within one round. Rows that retention moves to the totals in the middle of
a round are missing until it is over, and never there twice.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from service.ops import ledger as book
from service.ops.lookups import Body
from service.store import ledger
from service.store.ids import made_at
from service.store.ledger import ROWS, WHOLE, Counted, Part, Rest, Row, Space, Span
from service.store.pool import Connection, Pool, transaction

AT_ONCE = 0.1
"""Seconds after which a reading counts no further span."""
MOST_GROWN = 10
"""Spans that came since the last reading, at most: with more of them the count begins anew."""


@dataclass(frozen=True, slots=True)
class Account:
    """The ledger, and the same counts as sources and destinations show them."""

    ledger: Body
    whole: bool
    """Whether everything was counted once; else it is what is newest."""
    back_to: datetime | None
    """Where some events are not counted yet: those received since then are."""
    received: Mapping[str, Row] | None = None
    """Requests by source, once all were counted."""
    owed: Mapping[str, Row] | None = None
    """Syncs by destination, once all were counted."""


@dataclass(frozen=True, slots=True)
class Entry:
    span: Span
    part: Part
    rest: Rest
    """What else there was when it was counted."""


@dataclass(slots=True)
class Walk:
    """How far a space is counted; its spans lie side by side, the newest first."""

    space: Space
    entries: list[Entry] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return bool(self.entries) and self.entries[-1].span.after == WHOLE[self.space].after

    @property
    def older(self) -> Span:
        """All that is not counted yet."""
        upto = self.entries[-1].span.after if self.entries else WHOLE[self.space].upto
        return Span(self.space, WHOLE[self.space].after, upto)

    @property
    def parts(self) -> Sequence[Part]:
        return [each.part for each in self.entries]

    @property
    def stalest(self) -> int:
        """Which one was counted longest ago; of several the oldest."""
        return min(range(len(self.entries)), key=lambda n: (self.entries[n].rest.at, -n))

    @property
    def since(self) -> Rest:
        """What else there was when the stalest was counted."""
        return self.entries[self.stalest].rest

    def put(self, number: int, part: Part, rest: Rest) -> None:
        """Counted anew; the oldest one, when retention left nothing of it, joins the next."""
        self.entries[number] = Entry(self.entries[number].span, part, rest)
        if part.empty and 0 < number == len(self.entries) - 1:
            after = self.entries.pop().span.after
            last = self.entries[-1]
            self.entries[-1] = replace(last, span=replace(last.span, after=after))


class Rolling:
    """One for all who look at this process."""

    def __init__(self, pool: Pool, *, rows: int = ROWS, at_once: float = AT_ONCE) -> None:
        self._pool = pool
        self._rows = rows
        self._at_once = at_once
        self._walks = {space: Walk(space) for space in Space}

    async def read(self) -> Account:
        """Count what is newest, and as much of the rest as there is time for."""
        clock = asyncio.get_running_loop().time
        async with transaction(self._pool, isolation="repeatable_read", readonly=True) as tx:
            await ledger.bound(tx)
            rest = await ledger.rest(tx)
            for walk in self._walks.values():
                await self._newest(tx, walk, rest)
            until = clock() + self._at_once
            while await self._further(tx, rest) and clock() < until:
                pass
        return self._account(rest)

    async def _newest(self, tx: Connection, walk: Walk, rest: Rest) -> None:
        """The open span at the end; where it has grown long, its beginning is closed."""
        for _ in range(MOST_GROWN if walk.entries else 0):
            last = walk.entries[0].span
            first = await ledger.first_of(tx, last, self._rows)
            if first is None:
                walk.put(0, await ledger.part(tx, last), rest)
                return
            closed = Entry(first, await ledger.part(tx, first), rest)
            walk.entries[:1] = [Entry(replace(last, after=first.upto), Part(()), rest), closed]
        walk.entries.clear()
        await self._count(tx, walk, rest)

    async def _further(self, tx: Connection, rest: Rest) -> bool:
        """One span more; False when there is none that was not counted just now."""
        missing = [walk for walk in self._walks.values() if not walk.whole]
        if missing:
            await self._count(tx, min(missing, key=lambda walk: len(walk.entries)), rest)
            return True
        walk = min(self._walks.values(), key=lambda walk: walk.since.at)
        if walk.since.at >= rest.at:
            return False
        number = walk.stalest
        walk.put(number, await ledger.part(tx, walk.entries[number].span), rest)
        return True

    async def _count(self, tx: Connection, walk: Walk, rest: Rest) -> None:
        """The next span back."""
        span = await ledger.last_of(tx, walk.older, self._rows) or walk.older
        walk.entries.append(Entry(span, await ledger.part(tx, span), rest))

    def _account(self, rest: Rest) -> Account:
        events, syncs, requests = (self._walks[space] for space in Space)
        at = min(walk.since.at for walk in self._walks.values())
        parts = {space: walk.parts for space, walk in self._walks.items()}
        came, left = (
            Counted(replace(rest, at=at, totals=walk.since.totals if walk.whole else ()), parts)
            for walk in (requests, events)
        )
        received = book.requests(came)
        return Account(
            book.statement(left, received),
            whole=all(walk.whole for walk in self._walks.values()),
            back_to=None if events.whole else _made_at(events.older),
            received=received if requests.whole else None,
            owed=book.owed_of(syncs.parts) if syncs.whole else None,
        )


def _made_at(older: Span) -> datetime:
    assert not isinstance(older.upto, int)
    return datetime.fromtimestamp(made_at(older.upto), UTC)
