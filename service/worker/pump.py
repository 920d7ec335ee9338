"""Leased syncs of one destination go in; calls go out, bounded; what came of them is recorded."""

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256

import structlog

from service import journal, supervisor, telemetry, tracing
from service.domain import keys
from service.domain.errors import StoreUnavailable
from service.domain.routing import PRIORITIES
from service.domain.verdict import DeadLetter, Done, Retry, Verdict
from service.settings import Destination
from service.store import events, syncs
from service.store.ids import made_at
from service.store.pool import Pool, transaction
from service.store.syncs import CLASSES, Attempt, Delayed, Intent, Killed, Lease, Owed, Settled
from service.worker import roads, sync
from service.worker.crms.base import Answer, Change, Class, Crm
from service.worker.fold import Held
from service.worker.roads import Memory
from service.worker.tickets import Ticket, Tickets

log = structlog.get_logger()

POLL_BUSY = 0.2
POLL_IDLE = 0.5
RECORD_BATCH = 128
STORE_PAUSE = 0.5
HIGH = (PRIORITIES["high"],)


@dataclass(frozen=True, slots=True)
class Result:
    """One exchange, judged, waiting to be recorded."""

    owed: Owed
    answer: Answer
    verdict: Verdict
    ms: int


class Pump:
    """`crm` may be swapped on reload; at most `rule.concurrency` calls are in flight."""

    def __init__(self, rule: Destination, crm: Crm, *, pool: Pool) -> None:
        self.rule = rule
        self.crm = crm
        self.memory = Memory()
        self._pool = pool
        self._waiting = Tickets()
        self._results: deque[Result] = deque()
        self._calls: set[asyncio.Task[None]] = set()
        self._work = asyncio.Event()
        self._done = asyncio.Event()
        self._again = asyncio.Event()
        self._ended = asyncio.Event()

    def offer(self, leases: Sequence[Lease], *, since: float) -> None:
        """Take fresh leases while there is room, the urgent ones first in any case."""
        self._waiting.add(leases, since=since, limit=self.rule.window)
        self._work.set()

    async def find(self, stop: asyncio.Event) -> None:
        """Lease what is due in the database: retries, and what others left behind."""
        watch = asyncio.create_task(_set_when(stop, self._again))
        while not stop.is_set():
            supervisor.beat()
            self._again.clear()
            most = self.rule.concurrency * 4
            if len(self._waiting) < min(self.rule.concurrency, self.rule.window):
                found = await self._claim(min(self.rule.window - len(self._waiting), most))
            else:
                found = await self._claim(most, classes=HIGH)
                await self._hurry()
            if not stop.is_set():
                await _pause(self._again, POLL_BUSY if found else POLL_IDLE)
        watch.cancel()

    async def _claim(self, room: int, *, classes: Sequence[int] = CLASSES) -> int:
        since = time.monotonic()
        try:
            async with transaction(self._pool) as tx:
                leases = await syncs.claim(
                    tx,
                    self.rule.name,
                    limit=room,
                    lease=sync.lease_time(self.rule),
                    classes=classes,
                )
        except StoreUnavailable:
            return 0
        self.offer(leases, since=since)
        return len(leases)

    async def _hurry(self) -> None:
        """What turned out to be urgent while it waited here goes to the front."""
        subjects = self._waiting.later_than(HIGH[-1])
        with suppress(StoreUnavailable):
            async with transaction(self._pool) as tx:
                found = await syncs.urgent(tx, self.rule.name, subjects, classes=HIGH)
            self._waiting.hurry(found)

    async def start(self, stop: asyncio.Event) -> None:
        """Start calls as room appears; on stop give back what was not started."""
        self._ended.clear()
        watch = asyncio.create_task(_set_when(stop, self._work))
        try:
            while not stop.is_set():
                supervisor.beat()
                room = self.rule.concurrency - len(self._calls)
                batch = self._waiting.take(room)
                if batch:
                    await self._launch(batch)
                else:
                    self._work.clear()
                    if not (stop.is_set() or (self._waiting and room)):
                        if not self._calls:
                            supervisor.idle()
                        await self._work.wait()
        finally:
            watch.cancel()
        await self._give_back()
        if self._calls:
            await asyncio.wait(self._calls)
        self._ended.set()

    async def _launch(self, batch: Mapping[int, Ticket]) -> None:
        """Store the intents of a batch, then call; a lease that no longer holds is dropped."""
        leases = [ticket.lease for ticket in batch.values()]
        since = time.monotonic()
        try:
            async with transaction(self._pool) as tx:
                await syncs.hold(tx, leases, destination=self.rule.name)
                owed = await syncs.load(tx, leases, destination=self.rule.name)
                if missing := self.memory.missing(owed):
                    self.memory.learn(await events.requests(tx, missing))
                changes = {one.lease.subject_id: sync.change(one) for one in owed}
                held = await syncs.intend(
                    tx,
                    [self._intent(one, changes[one.lease.subject_id]) for one in owed],
                    destination=self.rule.name,
                    lease=sync.lease_time(self.rule),
                )
        except StoreUnavailable as error:
            log.warning("sync_start_failed", destination=self.rule.name, error=str(error))
            self._waiting.put_back(batch.values())
            await asyncio.sleep(STORE_PAUSE)
            return
        for one in owed:
            if one.lease.subject_id in held:
                call = asyncio.create_task(self._call(one, changes[one.lease.subject_id], since))
                self._calls.add(call)
                call.add_done_callback(self._called)

    def _intent(self, owed: Owed, change: Change) -> Intent:
        body = sha256(self.crm.payload(change)).digest()
        return Intent(owed.lease, owed.version, body, change.key)

    async def _call(self, owed: Owed, change: Change, since: float) -> None:
        """One call; never started when the lease might end before the call must have ended."""
        begun = time.monotonic()
        if begun + self.rule.timeout.total_seconds() > since + (
            sync.lease_time(self.rule).total_seconds()
        ):
            log.warning("sync_lease_too_short", destination=self.rule.name)
            return
        answer = await self._written(owed, change)
        ms = round((time.monotonic() - begun) * 1000)
        telemetry.CRM_CALLS.labels(self.rule.name, answer.kind.value).inc()
        telemetry.CRM_SECONDS.labels(self.rule.name).observe(ms / 1000)
        verdict = sync.judge(answer, owed, rule=self.rule, jitter=random.random())  # noqa: S311
        self._results.append(Result(owed, answer, verdict, ms))
        self._done.set()

    def _called(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("sync_call_failed", destination=self.rule.name, exc_info=error)
        self._work.set()

    async def record(self, stop: asyncio.Event) -> None:
        """Write down results until stopped and nothing is in flight any more."""
        watch = asyncio.create_task(_set_when(stop, self._done))
        try:
            while True:
                supervisor.beat()
                batch = [
                    self._results.popleft() for _ in range(min(len(self._results), RECORD_BATCH))
                ]
                if batch:
                    await self._record(batch)
                elif stop.is_set():
                    if self._ended.is_set():
                        return
                    await _pause(self._ended, POLL_IDLE)
                else:
                    self._done.clear()
                    supervisor.idle()
                    await self._done.wait()
        finally:
            watch.cancel()

    async def _record(self, batch: Sequence[Result]) -> None:
        ordered = sorted(batch, key=lambda result: result.owed.lease.subject_id)
        try:
            async with transaction(self._pool) as tx:
                done, late, dead = _sorted_out(ordered)
                name = self.rule.name
                held = [one.owed.lease for one in ordered]
                await syncs.hold(tx, held, destination=name)
                settled = await syncs.settle(tx, done, destination=name)
                kept = set(settled)
                kept |= await syncs.delay(tx, late, destination=name)
                kept |= await syncs.kill(tx, dead, destination=name)
                await syncs.record(tx, [_attempt(one) for one in ordered], destination=name)
        except StoreUnavailable as error:
            log.warning("sync_record_failed", destination=self.rule.name, error=str(error))
            self._results.extendleft(reversed(batch))
            await asyncio.sleep(STORE_PAUSE)
            return
        if lost := len(ordered) - len(kept):
            telemetry.FENCES_LOST.labels(self.rule.name).inc(lost)
            log.warning("sync_fence_lost", destination=self.rule.name, syncs=lost)
        self._tell([one for one in ordered if one.owed.lease.subject_id in kept])
        if any(settled.values()):
            self._again.set()
        self._work.set()

    async def _written(self, owed: Owed, change: Change) -> Answer:
        """An adapter never raises; should one do it all the same, nobody knows what was done."""
        said: dict[str, tracing.Value] = {
            "orderhook.destination": self.rule.name,
            "orderhook.subject": str(owed.subject),
            "orderhook.version": owed.version,
        }
        traces = self.memory.traces(owed)
        with tracing.joining("call", "client", traces, attributes=said) as span:
            try:
                answer = await self.crm.write(change)
            except Exception:
                log.exception("crm_adapter_failed", key=change.key)
                detail = "The adapter failed; see the log."
                answer = Answer(Class.UNKNOWN_OUTCOME, "write", detail=detail)
            span.set({"orderhook.answer": answer.kind.value})
            if answer.http_status is not None:
                span.set({"http.response.status_code": answer.http_status})
            if answer.kind is not Class.OK:
                span.fail(answer.kind.value)
        return answer

    def _tell(self, recorded: Sequence[Result]) -> None:
        """Log what stands recorded, and how long the events behind it waited for it."""
        name = self.rule.name
        done = [one for one in recorded if isinstance(one.verdict, Done)]
        journal.synced((self._row(one) for one in done), destination=name)
        troubled = [one for one in recorded if not isinstance(one.verdict, Done)]
        journal.not_synced((self._row(one, **_trouble(one)) for one in troubled), destination=name)
        for one in done:
            if one.owed.event_ids:
                waited = telemetry.age(made_at(min(one.owed.event_ids)))
                telemetry.SYNC_WAIT_SECONDS.labels(name).observe(waited)
            self.memory.forget(one.owed)

    def _row(self, one: Result, **more: object) -> journal.Row:
        owed = one.owed
        key = keys.idempotency_key(self.rule.name, owed.subject, owed.version)
        return roads.row(owed, key, self.memory.requests(owed), **more)

    async def _give_back(self) -> None:
        leases = self._waiting.clear()
        try:
            async with transaction(self._pool) as tx:
                await syncs.hold(tx, leases, destination=self.rule.name)
                await syncs.release(tx, leases, destination=self.rule.name)
        except StoreUnavailable:
            log.warning("sync_release_failed", destination=self.rule.name, syncs=len(leases))


def hand_on(pumps: Mapping[str, Pump]) -> Callable[[Held], None]:
    """The way from a fold to the pumps of this process."""

    def give(held: Held) -> None:
        for name, origins in held.origins.items():
            if name in pumps:
                pumps[name].memory.keep(origins)
        for name, leases in _by_destination(held.leases).items():
            if name in pumps:
                pumps[name].offer(leases, since=held.since)

    return give


def _by_destination(leases: Iterable[Lease]) -> dict[str, list[Lease]]:
    found: dict[str, list[Lease]] = {}
    for lease in leases:
        found.setdefault(lease.destination, []).append(lease)
    return found


def _sorted_out(batch: Iterable[Result]) -> tuple[list[Settled], list[Delayed], list[Killed]]:
    done: list[Settled] = []
    late: list[Delayed] = []
    dead: list[Killed] = []
    for one in batch:
        lease, version = one.owed.lease, one.owed.version
        match one.verdict:
            case Done():
                done.append(Settled(lease, version, one.owed.status))
            case Retry(after=after):
                assert after is not None
                waiting = sync.state_while_waiting(one.answer)
                late.append(Delayed(lease, waiting, after, one.answer.detail))
            case DeadLetter() as letter:
                dead.append(Killed(lease, version, letter))
    return done, late, dead


def _trouble(one: Result) -> journal.Row:
    """What a line says about a sync that did not work; the verdict is what happens next."""
    dead = isinstance(one.verdict, DeadLetter)
    return {
        "answer": one.answer.kind.value,
        "http_status": one.answer.http_status,
        "next": "dead letter" if dead else "retry",
    }


def _attempt(one: Result) -> Attempt:
    return Attempt(
        operation=one.answer.operation,
        subject_id=one.owed.lease.subject_id,
        version=one.owed.version,
        kind=one.answer.kind.value,
        http_status=one.answer.http_status,
        ms=one.ms,
        detail=one.answer.detail,
    )


async def _set_when(stop: asyncio.Event, event: asyncio.Event) -> None:
    await stop.wait()
    event.set()


async def _pause(event: asyncio.Event, seconds: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
