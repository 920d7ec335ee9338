"""Errands that have ended go in; what came of them is written down, many in one transaction."""

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import structlog

from service import journal, supervisor, telemetry
from service.domain import keys
from service.domain.errors import DataRejected, StoreUnavailable
from service.domain.verdict import DeadLetter, Done
from service.faultpoint import faultpoint
from service.store import syncs
from service.store.ids import made_at
from service.store.pool import Connection, session, transaction
from service.store.syncs import Attempt
from service.supervisor import pause
from service.worker import roads, sync
from service.worker.delivery import errands, naming, saying
from service.worker.delivery.errands import Errand
from service.worker.delivery.station import Station, set_when
from service.worker.sync import Hold

log = structlog.get_logger()

MOST = 256
STORE_PAUSE = 0.5
POLL = 0.5


@dataclass(slots=True)
class Handed:
    """Errands of one batch, and whose fence held when they were written down."""

    errands: Sequence[Errand]
    kept: asyncio.Future[frozenset[int]] = field(default_factory=asyncio.Future)


class Recorder:
    def __init__(self, station: Station) -> None:
        self._station = station
        self._waiting: deque[Handed] = deque()
        self._come = asyncio.Event()
        self.ended = asyncio.Event()
        """Nothing more will be handed in."""

    def hand_in(self, ended: Sequence[Errand]) -> asyncio.Future[frozenset[int]]:
        """To be written down soon; the answer tells the subjects whose fence held."""
        handed = Handed(ended)
        if not ended:
            handed.kept.set_result(frozenset())
            return handed.kept
        self._waiting.append(handed)
        self._come.set()
        return handed.kept

    async def run(self, stop: asyncio.Event) -> None:
        """Write down what is handed in until stopped and nothing is in flight any more."""
        watch = asyncio.create_task(set_when(stop, self._come))
        try:
            while True:
                supervisor.beat()
                if batch := self._taken():
                    await self._record(batch)
                elif stop.is_set():
                    if self.ended.is_set():
                        return
                    self._come.clear()
                    await pause(self._come, POLL)
                else:
                    self._come.clear()
                    supervisor.idle()
                    await self._come.wait()
        finally:
            watch.cancel()

    async def note(self, noted: Sequence[Errand]) -> None:
        """Keep the last exchange of errands that were written down before."""
        station = self._station
        attempts = [_attempt(errand, len(errand.answers) - 1) for errand in noted]
        try:
            async with transaction(station.pool) as tx:
                await syncs.record(tx, attempts, destination=station.rule.name)
        except StoreUnavailable as error:
            log.warning("note_not_recorded", destination=station.rule.name, error=str(error))

    def _taken(self) -> list[Handed]:
        batch: list[Handed] = []
        count = 0
        while self._waiting and (not batch or count + len(self._waiting[0].errands) <= MOST):
            batch.append(self._waiting.popleft())
            count += len(batch[-1].errands)
        return batch

    async def _record(self, batch: Sequence[Handed]) -> None:
        station = self._station
        everything = (errand for handed in batch for errand in handed.errands)
        ordered = sorted(everything, key=_by_subject)
        try:
            kept, more = await self._stored(ordered)
        except StoreUnavailable as error:
            log.warning("sync_record_failed", destination=station.rule.name, error=str(error))
            self._waiting.extendleft(reversed(batch))
            await asyncio.sleep(STORE_PAUSE)
            return
        faultpoint("sync.recorded")
        if lost := len(ordered) - len(kept):
            telemetry.FENCES_LOST.labels(station.rule.name).inc(lost)
            log.warning("sync_fence_lost", destination=station.rule.name, syncs=lost)
        self._tell([errand for errand in ordered if errand.subject_id in kept])
        for handed in batch:
            if not handed.kept.done():
                handed.kept.set_result(frozenset(kept))
        if more:
            station.again.set()
        station.work.set()

    async def _stored(self, ordered: Sequence[Errand]) -> tuple[set[int], bool]:
        """Write them down together; where PostgreSQL refuses a value, find whose it is."""
        opened = session if _is_one_statement(ordered) else transaction
        try:
            async with opened(self._station.pool) as tx:
                return await self._written(tx, ordered)
        except DataRejected as error:
            if len(ordered) < 2:
                log.exception("sync_not_recordable", error=str(error))
                return set(), False
        middle = len(ordered) // 2
        kept, more = await self._stored(ordered[:middle])
        others, also = await self._stored(ordered[middle:])
        return kept | others, more or also

    async def _written(self, tx: Connection, ordered: Sequence[Errand]) -> tuple[set[int], bool]:
        """Whose fence held, and whether something is due at once."""
        rule = self._station.rule
        done = [errand for errand in ordered if isinstance(errand.end, Done)]
        left = [errand for errand in ordered if not isinstance(errand.end, Done)]
        named = naming.learned(done)
        await naming.lock(tx, named)
        if done and left:
            held = [errand.owed.lease for errand in ordered]
            await syncs.hold(tx, held, destination=rule.name)
        kept, more = await self._settled(tx, done) if done else (set(), False)
        if left:
            rows = [errands.left(errand) for errand in left]
            kept |= await syncs.leave(tx, rows, destination=rule.name)
            more = more or any(row.delay is not None and not row.delay for row in rows)
            await syncs.record(tx, list(_attempts(left)), destination=rule.name)
        await self._doubt(tx, [errand for errand in ordered if errand.subject_id not in kept])
        await naming.claim(tx, {name: each for name, each in named.items() if each in kept}, rule)
        return kept, more

    async def _settled(self, tx: Connection, done: Sequence[Errand]) -> tuple[set[int], bool]:
        rule = self._station.rule
        found = await syncs.settle(
            tx,
            [errands.settled(errand) for errand in done],
            destination=rule.name,
            life=sync.longest(rule),
            attempts=list(_attempts(done)),
        )
        return set(found), any(found.values())

    async def _doubt(self, tx: Connection, lost: Iterable[Errand]) -> None:
        late = {
            errand.subject_id: shown
            for errand in lost
            if (shown := errands.doubtful(errand)) is not None
        }
        if late:
            await syncs.doubt(tx, late, destination=self._station.rule.name)

    def _tell(self, recorded: Sequence[Errand]) -> None:
        """Log what stands recorded, and how long the events behind it waited for it."""
        name, memory = self._station.rule.name, self._station.memory
        done = [errand for errand in recorded if isinstance(errand.end, Done)]
        journal.synced((self._row(errand) for errand in done), destination=name)
        troubled = [errand for errand in recorded if not isinstance(errand.end, Done)]
        journal.not_synced(
            (self._row(errand, **_trouble(errand)) for errand in troubled), destination=name
        )
        waits = telemetry.SYNC_WAIT_SECONDS.labels(name)
        for errand in done:
            if errand.owed.event_ids:
                waits.observe(telemetry.age(made_at(min(errand.owed.event_ids))))
            memory.forget(errand.owed)

    def _row(self, errand: Errand, **more: object) -> journal.Row:
        owed = errand.owed
        key = keys.idempotency_key(self._station.rule.name, owed.subject, owed.version)
        return roads.row(owed, key, self._station.memory.requests(owed), **more)


def _is_one_statement(ended: Sequence[Errand]) -> bool:
    """Whether all went well and no record became known: one statement commits by itself.

    Of a lost fence somebody else reads the record anyway: the intent was found when it was taken.
    """
    return all(isinstance(errand.end, Done) for errand in ended) and not naming.learned(ended)


def _by_subject(errand: Errand) -> int:
    return errand.subject_id


def _attempts(ended: Iterable[Errand]) -> Iterable[Attempt]:
    for errand in ended:
        for number in range(len(errand.answers)):
            yield _attempt(errand, number)


def _attempt(errand: Errand, number: int) -> Attempt:
    answer, ms = errand.answers[number]
    return Attempt(
        operation=answer.operation,
        subject_id=errand.subject_id,
        version=errand.owed.version,
        kind=answer.kind.value,
        http_status=answer.http_status,
        ms=ms,
        detail=saying.words(errand, answer),
    )


def _trouble(errand: Errand) -> journal.Row:
    """What a line says about a sync that did not work; `next` is what happens then."""
    answer = errand.last
    following = {DeadLetter: "dead letter", Hold: "held"}.get(type(errand.end), "retry")
    return {
        "answer": answer.kind.value if answer else None,
        "http_status": answer.http_status if answer else None,
        "next": following,
    }
