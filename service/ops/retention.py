"""What is past its time leaves, and the ledger and every order stay as they are.

Events leave subject by subject, because what they folded to must stay; days of requests, and what
only explains, leave by partition; dedupe keys by stretches of their table.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from uuid import UUID

import structlog

from service import supervisor, telemetry
from service.domain import law
from service.domain.bases import Base
from service.domain.errors import StoreUnavailable
from service.domain.events import Event
from service.domain.law import Folded
from service.domain.lifecycle import Lifecycle
from service.ops.lookups import Body
from service.settings.models import Retention
from service.store import bases, folding, ids, retention, subjects
from service.store.folding import History
from service.store.pool import Connection, Pool, transaction
from service.store.retention import Aged, Due
from service.store.seals import PLAIN, Seals
from service.store.subjects import Row
from service.worker.refold import refold
from service.worker.rules import Rules

log = structlog.get_logger()

PAGE = 200
NO_ID = UUID(int=0)


@dataclass(slots=True)
class Done:
    """What one run did, and what it had to leave for another time."""

    events: int = 0
    requests: int = 0
    days: list[str] = field(default_factory=list)
    held_back: list[str] = field(default_factory=list)
    """Days that stay for now: too much in them is still needed."""
    keys: int = 0
    letters: int = 0
    data_keys: int = 0


class Runner:
    """One run; `pace` is asked between two steps, with the seconds that the last one took."""

    def __init__(
        self,
        pool: Pool,
        periods: Retention,
        rules: Rules,
        *,
        sealing: Seals = PLAIN,
        pace: Callable[[float], Awaitable[bool]] | None = None,
        now: datetime | None = None,
    ) -> None:
        self._pool = pool
        self._periods = periods
        self._rules = rules
        self._sealing = sealing
        self._pace = pace
        self._now = now
        self._done = Done()

    async def run(self) -> Done:
        """Purge what is past its time now; raises StoreUnavailable, and goes on another time."""
        at = self._now or await retention.now(self._pool)
        first = retention.first_kept(at, self._periods.requests)
        await self._purge_events(ids.first_id(first))
        await self._drop_days(first)
        await self._clear_defaults(ids.first_id(first))
        await self._forget_keys(at - self._periods.keys)
        self._done.letters += await self._repeat(
            lambda: retention.forget_letters(self._pool, before=first)
        )
        if not self._done.held_back:
            self._done.data_keys = await retention.forget_data_keys(self._pool, before=first)
        _tell(self._done)
        return self._done

    async def _purge_events(self, until: UUID) -> None:
        after: UUID | None = NO_ID
        while after is not None:
            began = time.monotonic()
            after = await self._page(after, until)
            if not await self._go_on(began):
                return

    async def _page(self, after: UUID, until: UUID) -> UUID | None:
        async with transaction(self._pool) as tx:
            if not await retention.my_turn(tx):
                return None
            aged = await retention.page(tx, after=after, until=until, limit=PAGE)
            if not aged:
                return None
            gone = await purge(tx, aged, self._rules)
        self._done.events += len(gone)
        return aged[-1].id

    async def _drop_days(self, first: datetime) -> None:
        for day in await retention.days(self._pool, before=first):
            began = time.monotonic()
            try:
                done = await retention.drop(self._pool, day, self._sealing)
            except StoreUnavailable as error:
                # Somebody reads the table, and readers are not kept waiting: another time.
                log.info("day_not_dropped", partition=day.name, reason=str(error))
                done = "busy"
            (self._done.days if done == "dropped" else self._done.held_back).append(day.name)
            if not await self._go_on(began):
                return

    async def _clear_defaults(self, until: UUID) -> None:
        for table in retention.LATE:

            async def clear(table: str = table) -> int:
                return await retention.clear_default(self._pool, table, until=until)

            gone = await self._repeat(clear)
            self._done.requests += gone if table == "requests" else 0

    async def _forget_keys(self, before: datetime) -> None:
        for table in retention.KEY_TABLES:
            blocks = await retention.key_blocks(self._pool, table)
            for block in range(0, blocks, retention.KEY_BLOCKS):
                began = time.monotonic()
                self._done.keys += await retention.forget_keys(
                    self._pool, table, block=block, before=before
                )
                if not await self._go_on(began):
                    return

    async def _repeat(self, step: Callable[[], Awaitable[int]]) -> int:
        total = 0
        while gone := await step():
            total += gone
            if gone < retention.BATCH or not await self._go_on(time.monotonic()):
                break
        return total

    async def _go_on(self, began: float) -> bool:
        return self._pace is None or await self._pace(time.monotonic() - began)


async def purge(tx: Connection, aged: Sequence[Aged], rules: Rules) -> set[UUID]:
    """Let those of the locked events leave without which all the others fold to the same."""
    settled = [each for each in aged if each.settled]
    free = {each.id for each in settled if not each.folded or each.subject is None}
    told = {each.subject for each in settled if each.folded and each.subject is not None}
    rows = await subjects.lock_survivors(tx, told)
    ours = {row.id: row for row in rows.values() if not _is_foreign(row, rules)}
    behind = [row for row in ours.values() if not _is_current(row, rules)]
    await refold(tx, behind, rules=rules, cause="events of it are past their retention")
    current = [row for row in ours.values() if _is_current(row, rules)]
    found = await folding.histories(tx, [row.id for row in current])
    gone = set(free)
    for row in current:
        old = {each.id for each in settled}
        gone |= await _purge_subject(tx, row, found[row.id], rules, old)
    await retention.leave(tx, sorted(gone))
    return gone


async def _purge_subject(
    tx: Connection, row: Row, history: History, rules: Rules, old: set[UUID]
) -> frozenset[UUID]:
    lifecycle = rules.lifecycles[row.subject.lifecycle]
    base, gone = law.compact(
        lifecycle, history.base, history.events, old=old, rolled_back=history.rolled_back
    )
    if not gone:
        return gone
    if not _is_same(lifecycle, history, base, gone):
        log.error("purge_would_change_subject", subject_id=row.id, events=len(gone))
        telemetry.RETENTION_REFUSED.inc()
        return frozenset()
    await bases.keep(tx, row.id, base)
    return gone


def _is_same(lifecycle: Lifecycle, history: History, base: Base, gone: frozenset[UUID]) -> bool:
    """Fold it both ways: nothing leaves on the strength of an argument alone."""
    rest = [each for each in history.events if each.id not in gone]

    def folded(events: Sequence[Event], on: Base) -> Folded:
        made = law.fold(
            lifecycle, events, pins=history.pins, rolled_back=history.rolled_back, base=on
        )
        return replace(made, outcomes={each.id: made.outcomes[each.id] for each in rest})

    return folded(history.events, history.base) == folded(rest, base)


def _is_foreign(row: Row, rules: Rules) -> bool:
    return row.law > law.LAW or row.subject.lifecycle not in rules.lifecycles


def _is_current(row: Row, rules: Rules) -> bool:
    """One that is behind is folded anew now, and loses events the next time."""
    return row.law == law.LAW and row.lifecycle_hash == rules.fingerprint(row.subject.lifecycle)


def _tell(done: Done) -> None:
    for what, count in (
        ("events", done.events),
        ("requests", done.requests),
        ("keys", done.keys),
        ("letters", done.letters),
        ("days", len(done.days)),
    ):
        telemetry.RETENTION_PURGED.labels(what).inc(count)
    telemetry.RETENTION_HELD_BACK.set(len(done.held_back))
    telemetry.RETENTION_RUN.set_to_current_time()
    if any(asdict(done).values()):
        log.info("retention_done", **asdict(done))


async def status(pool: Pool, periods: Retention, *, now: datetime | None = None) -> Body:
    """What is past its time, and what has left until now."""
    at = now or await retention.now(pool)
    first = retention.first_kept(at, periods.requests)
    return {"at": at, "first_kept_day": first, **_body(await retention.due(pool, until=first))}


def _body(due: Due) -> Body:
    return {
        "due": {
            "events": due.events,
            "settled": due.settled,
            "requests": due.requests,
            "partitions": [day.name for day in due.days],
        },
        "purged": {
            "events": due.purged_events,
            "requests": due.purged_requests,
            "subjects_with_a_base": due.bases,
        },
    }


def pacer(stop: asyncio.Event) -> Callable[[float], Awaitable[bool]]:
    """Rest as long as was worked, so that the database is free for live work half of the time."""

    async def pace(seconds: float) -> bool:
        supervisor.beat()
        with suppress(TimeoutError):
            async with asyncio.timeout(min(seconds, 5.0)):
                await stop.wait()
        return not stop.is_set()

    return pace
