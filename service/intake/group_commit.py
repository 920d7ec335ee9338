"""Waiting requests in, one commit for many of them out; each waiter learns its own fate."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

import structlog

from service import journal, supervisor, telemetry, tracing
from service.domain import keys
from service.domain.errors import DataRejected, StoreUnavailable
from service.domain.events import Event, Fate, Statement
from service.faultpoint import faultpoint
from service.store import acceptance
from service.store.acceptance import Accepted, Arrival
from service.store.pool import Pool
from service.store.seals import PLAIN, Seals

log = structlog.get_logger()

BATCH_REQUESTS = 128
BATCH_BYTES = 4 * 1024 * 1024
WAITING_REQUESTS = 4096
"""Above this many waiters the next one is told at once to come back."""
ANSWER_BUDGET = 2.0
"""Seconds a request may wait for its commit; most senders give up after three."""
SPOOL_BUDGET = 0.25
"""Seconds a request waits that may go to the spool instead."""
PROBE = 0.25
"""While PostgreSQL is away one request in so many seconds asks whether it is back."""


class Handoff(Protocol):
    """The fast path to the broker for events that were just committed."""

    def reserve(self) -> bool:
        """Whether a batch may be published at once; a True is followed by `send` or `release`."""
        ...

    def send(self, event_ids: Sequence[UUID], published_at: datetime) -> None:
        """Publish in the background; a failure leaves the entries owed."""
        ...

    def release(self) -> None:
        """Give a reservation back: nothing was committed."""
        ...


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became durable of one request."""

    events: int
    duplicates: int


@dataclass(frozen=True, slots=True)
class Waiter:
    arrival: Arrival
    receipt: asyncio.Future[Receipt]


class GroupCommit:
    """Two writers take turns; while one commits, the next batch gathers by itself."""

    def __init__(
        self,
        pool: Pool,
        handoff: Handoff,
        *,
        process: UUID,
        lease: timedelta,
        sealing: Seals = PLAIN,
    ) -> None:
        self._pool = pool
        self._handoff = handoff
        self._process = process
        self._lease = lease
        self._sealing = sealing
        self._waiting: deque[Waiter] = deque()
        self._arrived = asyncio.Event()
        self._journal = journal.Accepted()
        self._away = False
        self._next_probe = 0.0

    async def submit(self, arrival: Arrival, *, within: float = ANSWER_BUDGET) -> Receipt:
        """Return when the request is durable; StoreUnavailable when that is not known in time.

        While PostgreSQL is away, one who can go elsewhere (`within` below the usual budget) is
        told so at once, but for the one that finds out whether it is back.
        """
        if self._away and within < ANSWER_BUDGET and not self._may_probe():
            raise StoreUnavailable("PostgreSQL is away.")
        if len(self._waiting) >= WAITING_REQUESTS:
            raise StoreUnavailable("Too many requests wait for PostgreSQL.")
        loop = asyncio.get_running_loop()
        waiter = Waiter(arrival, loop.create_future())
        self._waiting.append(waiter)
        self._arrived.set()
        # A plain timer: `asyncio.timeout` costs several times as much, for every request.
        late = loop.call_later(within, self._give_up, waiter)
        try:
            return await waiter.receipt
        finally:
            late.cancel()

    def _give_up(self, waiter: Waiter) -> None:
        if not waiter.receipt.done():
            self._note_away()
            waiter.receipt.set_exception(StoreUnavailable("PostgreSQL did not commit in time."))

    def _may_probe(self) -> bool:
        now = time.monotonic()
        if now < self._next_probe:
            return False
        self._next_probe = now + PROBE
        return True

    def _note_away(self) -> None:
        if not self._away:
            self._next_probe = time.monotonic() + PROBE
        self._away = True

    async def run(self, stop: asyncio.Event) -> None:
        """One writer: commits batches until stopped and nothing waits any more."""
        watch = asyncio.create_task(self._wake_at(stop))
        try:
            while self._waiting or not stop.is_set():
                if self._waiting:
                    supervisor.beat()
                    await self._commit(self._take())
                else:
                    await self._rest(stop)
        finally:
            watch.cancel()
            self._journal.flush()

    async def _rest(self, stop: asyncio.Event) -> None:
        self._arrived.clear()
        if not stop.is_set():
            supervisor.idle()
            await self._arrived.wait()
            supervisor.beat()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._arrived.set()

    def _take(self) -> list[Waiter]:
        batch: list[Waiter] = []
        size = 0
        while self._waiting and len(batch) < BATCH_REQUESTS and size < BATCH_BYTES:
            waiter = self._waiting.popleft()
            if not waiter.receipt.done():
                batch.append(waiter)
                size += len(waiter.arrival.body)
        return batch

    async def _commit(self, batch: list[Waiter]) -> None:
        """Store a batch; a value PostgreSQL refuses is hunted down by halving the batch."""
        if not batch:
            return
        try:
            accepted = await self._store([waiter.arrival for waiter in batch])
        except DataRejected as error:
            await self._bisect(batch, error)
        except BaseException as error:
            failure = (
                error
                if isinstance(error, StoreUnavailable)
                else StoreUnavailable("The writer stopped in the middle of a commit.")
            )
            for waiter in batch:
                _fail(waiter, failure)
            self._note_away()
            if not isinstance(error, StoreUnavailable):
                raise
        else:
            self._away = False
            for waiter in batch:
                self._journal.note(waiter.arrival.id, _settle(waiter, accepted))

    async def _store(self, arrivals: Sequence[Arrival]) -> Accepted:
        telemetry.BATCH.observe(len(arrivals))
        fast = self._handoff.reserve()
        try:
            accepted = await acceptance.accept(
                self._pool,
                arrivals,
                process=self._process,
                published=fast,
                lease=self._lease,
                sealing=self._sealing,
            )
        except BaseException:
            if fast:
                self._handoff.release()
            raise
        faultpoint("accept.committed")
        if fast:
            with tracing.carrying(acceptance.traces(arrivals)):
                self._handoff.send(list(accepted.fresh), accepted.at)
        return accepted

    async def _bisect(self, batch: list[Waiter], error: DataRejected) -> None:
        if len(batch) > 1:
            middle = len(batch) // 2
            await self._commit(batch[:middle])
            await self._commit(batch[middle:])
        elif _is_bare(batch[0].arrival):
            _fail(batch[0], StoreUnavailable("PostgreSQL refuses even the raw bytes."))
        else:
            arrival = batch[0].arrival
            log.warning("request_unreadable", source=arrival.source, request_id=str(arrival.id))
            await self._commit([Waiter(bare(arrival, why=str(error)), batch[0].receipt)])


def bare(arrival: Arrival, *, why: str) -> Arrival:
    """The same request as one unreadable event, with nothing of it interpreted."""
    said = Statement(
        dedupe_key=keys.body_key(arrival.body), fate=Fate.UNREADABLE, note=why, code=""
    )
    event_id = arrival.events[0].id if arrival.events else arrival.id
    event = Event(event_id, arrival.source, said, arrival.received_at)
    return replace(arrival, path="", query="", peer="", headers={}, events=[event])


def _is_bare(arrival: Arrival) -> bool:
    return not arrival.path and not arrival.headers


def _settle(waiter: Waiter, accepted: Accepted) -> list[UUID]:
    """Tell one waiter; returns those of its events that were not known before."""
    events = waiter.arrival.events
    fresh = [event.id for event in events if event.id in accepted.fresh]
    if not waiter.receipt.done():
        waiter.receipt.set_result(Receipt(len(events), len(events) - len(fresh)))
    return fresh


def _fail(waiter: Waiter, error: Exception) -> None:
    if not waiter.receipt.done():
        waiter.receipt.set_exception(error)
