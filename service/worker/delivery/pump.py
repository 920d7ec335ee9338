"""Leased syncs of one destination go in; batches of calls go out, as its quota and health allow."""

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from itertools import islice
from typing import TypeVar

import structlog

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.domain.verdict import Done
from service.faultpoint import faultpoint
from service.settings import Destination
from service.store import events, syncs
from service.store.pool import Connection, Pool, session
from service.store.syncs import Lease, Owed
from service.supervisor import SILENT, pause
from service.worker import sync
from service.worker.crms.base import Class, Crm, Records
from service.worker.delivery import errands, planning
from service.worker.delivery.calls import Calls
from service.worker.delivery.errands import Errand, Step
from service.worker.delivery.finding import Finder
from service.worker.delivery.foresight import Foresight
from service.worker.delivery.planning import Targets
from service.worker.delivery.ports import Budget, Gate
from service.worker.delivery.recording import Recorder
from service.worker.delivery.round import Round
from service.worker.delivery.station import Station, set_when
from service.worker.fold import Held
from service.worker.roads import Memory
from service.worker.tickets import Ticket

log = structlog.get_logger()

STORE_PAUSE = 0.5
SHUT_PAUSE = 0.5
ROWS = 256
"""Loaded in one transaction for several calls, where calls cost nothing."""
FILLINGS = 3
"""So often a batch is filled up with what needs a call, when some of it does not."""
RECORDED_WITHIN = 30.0
MARGIN = sync.MARGIN.total_seconds()

T = TypeVar("T")


class Pump:
    """At most `rule.concurrency` batches are under way."""

    def __init__(
        self, rule: Destination, crm: Crm, *, pool: Pool, gate: Gate, budget: Budget
    ) -> None:
        self.station = Station(rule, crm, pool, gate, budget)
        self.find = Finder(self.station).run
        self._recorder = Recorder(self.station)
        self.record = self._recorder.run
        self._calls: set[asyncio.Task[None]] = set()
        self._foresight = Foresight()

    @property
    def silent(self) -> float:
        """For how many seconds no call may lawfully end: until the lease of one is over."""
        return _lease(self.station.rule) + SILENT

    @property
    def memory(self) -> Memory:
        return self.station.memory

    def adopt(self, rule: Destination, crm: Crm) -> None:
        """Go by a new configuration from the next batch on."""
        self.station.rule, self.station.crm = rule, crm

    def offer(self, leases: Sequence[Lease], *, since: float) -> None:
        """Take fresh leases while there is room, the urgent ones first in any case."""
        station = self.station
        station.waiting.add(leases, since=since, limit=station.rule.window, live=True)
        station.work.set()

    async def start(self, stop: asyncio.Event) -> None:
        """Start calls as room appears; on stop give back what was not started."""
        station = self.station
        self._recorder.ended.clear()
        watch = asyncio.create_task(set_when(stop, station.work))
        try:
            while not stop.is_set():
                supervisor.beat()
                station.work.clear()
                if station.waiting and self._free > 0:
                    await self._step(stop)
                else:
                    if not self._calls:
                        supervisor.idle()
                    await station.work.wait()
        finally:
            watch.cancel()
        await station.give_back(station.waiting.clear())
        while self._calls:
            await asyncio.wait(self._calls)
        self._recorder.ended.set()

    async def _step(self, stop: asyncio.Event) -> None:
        """Start what may be started now, or wait a little."""
        station = self.station
        first = station.waiting.first()
        live = first is not None and first.live
        wait = await station.budget.ready(live=live, calls=self._foresight.calls)
        if wait > 0:
            await pause(station.work, wait)
            return
        if stop.is_set():
            return
        most = await station.gate.admits(self._room())
        if most > 0:
            await self._launched(most)
        else:
            await station.give_back(station.waiting.clear())
            await pause(stop, SHUT_PAUSE)

    def _room(self) -> int:
        """How many syncs to take: one batch, or as many as fit where calls cost nothing."""
        station = self.station
        if station.limited:
            return station.batch
        return min(self._free, max(ROWS // station.batch, 1)) * station.batch

    @property
    def _free(self) -> int:
        """How many calls may be started besides those that are under way."""
        return self.station.rule.concurrency - len(self._calls)

    def _taken(self, most: int) -> dict[int, Ticket]:
        oldest = time.monotonic() - sync.lease_time(self.station.rule).total_seconds()
        return self.station.waiting.take(most, since=oldest)

    async def _launched(self, most: int) -> None:
        """What fails here by a mistake of ours comes again when its leases are over."""
        try:
            await self._launch(most)
        except Exception:
            log.exception("sync_launch_failed", destination=self.station.rule.name)
            await asyncio.sleep(STORE_PAUSE)

    async def _launch(self, most: int) -> None:
        """Load the most urgent tickets, store what can be written at once, and start the calls.

        One launch at a time: calls that end meanwhile make room for a fuller one, and PostgreSQL is
        asked far less often than by launches side by side.
        """
        station = self.station
        taken: list[Ticket] = []
        since = time.monotonic()
        try:
            async with session(station.pool) as tx:
                begun = await self._begun(tx, most, taken)
                going = [errand for errand in begun if errand.step is not Step.NOTHING]
                batches = list(_cut(going, station.batch))
                held = await self._held(tx, batches)
        except StoreUnavailable as error:
            log.warning("sync_start_failed", destination=station.rule.name, error=str(error))
            station.waiting.put_back(taken)
            await station.gate.forgo()
            await asyncio.sleep(STORE_PAUSE)
            return
        if ended := [errand for errand in begun if errand.end is not None]:
            _ = self._recorder.hand_in(ended)
        leased = [[each for each in batch if each.subject_id in held] for batch in batches]
        if not any(leased):
            await station.gate.forgo()
        if station.more and len(station.waiting) < station.batch:
            station.again.set()
        for batch in filter(None, leased):
            self._go(batch, since)

    async def _begun(self, tx: Connection, most: int, taken: list[Ticket]) -> list[Errand]:
        """Errands of which up to `most` need a call; more tickets are taken for them if need be.

        Each ticket is among the `taken` as soon as it is, whatever happens then.
        """
        begun: list[Errand] = []
        going = 0
        for _ in range(FILLINGS):
            if going >= most or not (tickets := self._taken(most - going)):
                break
            taken += tickets.values()
            loaded = await self._loaded(tx, tickets)
            going += sum(errand.step is not Step.NOTHING for errand in loaded)
            begun += loaded
        return begun

    async def _loaded(self, tx: Connection, tickets: Mapping[int, Ticket]) -> list[Errand]:
        station = self.station
        leases = [ticket.lease for ticket in tickets.values()]
        owed = await syncs.load(tx, leases, destination=station.rule.name)
        if missing := station.memory.missing(owed):
            station.memory.learn(await events.requests(tx, missing))
        crm = station.crm
        targets = crm.targets if isinstance(crm, Records) else None
        made = (self._made(one, tickets[one.lease.subject_id], targets) for one in owed)
        return [errand for errand in made if errand is not None]

    def _made(self, owed: Owed, ticket: Ticket, targets: Targets | None) -> Errand | None:
        """One sync that cannot be read must not stop all others; its lease runs out."""
        station = self.station
        try:
            errand = planning.begin(
                owed, ticket, rule=station.rule, crm=station.crm, targets=targets
            )
            errand.step = planning.first(errand, rule=station.rule, crm=station.crm)
        except Exception:
            log.exception("sync_unreadable", subject=str(owed.subject), version=owed.version)
            return None
        return errand

    async def _held(self, tx: Connection, batches: Sequence[Sequence[Errand]]) -> set[int]:
        """Renew every lease, with the intents of those batches that nothing must be asked for."""
        rule = self.station.rule
        ready = [errand for batch in batches if _is_ready(batch) for errand in batch]
        asking = [errand for batch in batches if not _is_ready(batch) for errand in batch]
        held = set()
        if asking:
            leases = [errand.owed.lease for errand in asking]
            held |= await syncs.renew(
                tx, leases, destination=rule.name, lease=sync.lease_time(rule)
            )
        if ready:
            held |= await self._intend(tx, ready)
        return held

    async def _intend(self, tx: Connection, going: Sequence[Errand]) -> set[int]:
        rule = self.station.rule
        intents = [errands.intent(errand) for errand in going]
        return await syncs.intend(tx, intents, destination=rule.name, lease=sync.lease_time(rule))

    def _go(self, batch: Sequence[Errand], since: float) -> None:
        station = self.station
        calls = Calls(station.rule.name)
        one = Round(station.rule, station.crm, calls, station.memory, station.gate)
        self._foresight.begin(asked=not _is_ready(batch))
        call = asyncio.create_task(self._carry(one, batch, since))
        self._calls.add(call)
        call.add_done_callback(self._carried)

    def _carried(self, call: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._ended(call)

    def _ended(self, call: asyncio.Task[None]) -> None:
        if not call.cancelled() and (error := call.exception()) is not None:
            log.error("sync_call_failed", destination=self.station.rule.name, exc_info=error)
        self.station.work.set()

    async def _carry(self, one: Round, batch: Sequence[Errand], since: float) -> None:
        """One batch to its end; whatever fails on the way, no errand is left without one."""
        bill, asked = self.station.budget.open_bill(), not _is_ready(batch)
        try:
            await self._walk(one, batch, since)
        except Exception:
            log.exception("sync_batch_failed", destination=one.rule.name, syncs=len(batch))
            one.fail([errand for errand in batch if errand.end is None])
        finally:
            ended = [errand for errand in batch if errand.end is not None]
            self._foresight.learn(list(bill), asked=asked)
            await self._report(one)
            kept = self._recorder.hand_in(ended)
        if one.rule.notes:
            with suppress(TimeoutError):
                async with asyncio.timeout(RECORDED_WITHIN):
                    held = await kept
                await self._note(one, ended, held)

    async def _walk(self, one: Round, batch: Sequence[Errand], since: float) -> None:
        going: Sequence[Errand] = batch
        if not _is_ready(batch):
            await one.look(batch, until=since + _lease(one.rule) - MARGIN)
            since = time.monotonic()
            going = await self._promised([each for each in batch if each.step is Step.WRITE])
        until = since + _lease(one.rule) - MARGIN
        if not going:
            return
        if time.monotonic() + one.rule.timeout.total_seconds() > until:
            log.warning("sync_lease_too_short", destination=one.rule.name)
            return
        faultpoint("sync.intended")
        await one.write(going, until=until)
        faultpoint("sync.called")

    async def _promised(self, going: Sequence[Errand]) -> list[Errand]:
        """Those whose intents were stored and whose leases still held, renewed."""
        if not going:
            return []
        try:
            async with session(self.station.pool) as tx:
                held = await self._intend(tx, going)
        except StoreUnavailable as error:
            log.warning("sync_start_failed", destination=self.station.rule.name, error=str(error))
            self.station.waiting.put_back(errand.ticket for errand in going)
            return []
        return [errand for errand in going if errand.subject_id in held]

    async def _report(self, one: Round) -> None:
        """Let the gate and the budget know what was answered."""
        station = self.station
        rests = {
            answer.scope: answer.after
            for said in one.said
            for _, answer in said
            if answer.kind is Class.RATE and answer.tried
        }
        for scope, after in rests.items():
            station.budget.rest(scope, after)
        was_shut = station.gate.shut
        for said in one.said:
            await station.gate.report(said)
        if not one.said:
            await station.gate.forgo()
        if was_shut and not station.gate.shut:
            station.again.set()

    async def _note(self, one: Round, ended: Sequence[Errand], kept: frozenset[int]) -> None:
        """Entries in the time line, of which a lost or repeated one must not be written twice."""
        crm = one.crm
        if not isinstance(crm, Records) or not crm.capabilities.notes:
            return
        noted: list[Errand] = []
        for errand in ended:
            moved = errand.sent and errand.owed.previous != errand.owed.status
            known = errands.remote_id(errand)
            if known and moved and isinstance(errand.end, Done) and errand.subject_id in kept:
                until = time.monotonic() + one.rule.timeout.total_seconds()
                await one.note(crm, errand, known, until=until)
                noted.append(errand)
        if noted:
            await self._recorder.note(noted)


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


def _is_ready(batch: Sequence[Errand]) -> bool:
    """Whether nothing must be asked before it is written."""
    return all(errand.step is Step.WRITE for errand in batch)


def _lease(rule: Destination) -> float:
    return sync.lease_time(rule).total_seconds()


def _cut(whole: Iterable[T], size: int) -> Iterable[list[T]]:
    left = iter(whole)
    while some := list(islice(left, size)):
        yield some
