"""Owed events come in; subjects move to their lawful state and syncs become owed, in one commit."""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from service import telemetry, tracing
from service.domain import names
from service.domain.errors import StoreUnavailable
from service.domain.names import Name
from service.domain.verdict import DeadLetter, Reason
from service.store import dead_letters, folding, outbox
from service.store.folding import SubjectsMoved, Taken
from service.store.outbox import Entry
from service.store.pool import Connection, Pool, transaction
from service.store.syncs import Lease
from service.store.writing import write
from service.worker import roads
from service.worker.lives import NamesNeeded
from service.worker.plan import Plan, begin
from service.worker.roads import Origin
from service.worker.rules import Rules
from service.worker.seating import seat
from service.worker.settle import settle, wait

log = structlog.get_logger()

CRASHES_TO_POISON = 3
"""An entry that alone makes the fold fail this often becomes a dead letter."""
DEATHS_TO_POISON = 5
"""One that workers end at: more often, because a worker may end for other reasons."""
CRASH_PAUSE = timedelta(seconds=5)
TRIAL = timedelta(seconds=10)
"""How long nobody else tries an entry that is folded alone, and how soon after a crash it is."""
UPGRADE_PAUSE = timedelta(seconds=15)
"""How long events of a subject wait that a newer release has folded already."""
BEGINNINGS = 5
"""Transactions one batch may begin, before it is left for later."""


@dataclass(frozen=True, slots=True)
class Held:
    """Leases just taken, and the monotonic time read before their transaction began."""

    leases: Sequence[Lease]
    since: float
    suspects: Sequence[UUID] = ()
    """What was left out, because it may only be folded alone."""
    origins: Mapping[str, Mapping[UUID, Origin]] = field(default_factory=dict)
    """By destination: where the events came from behind what it is owed now."""


class Fold:
    """`rules` may be swapped on a reload."""

    def __init__(self, pool: Pool, rules: Rules, *, hand_on: Callable[[Held], None]) -> None:
        self._pool = pool
        self.rules = rules
        self._hand_on = hand_on
        self._on_trial: UUID | None = None

    async def fold(self, event_ids: Sequence[UUID]) -> None:
        """Fold what is still owed of these events; on StoreUnavailable, all it raises, try again.

        A failure that is not PostgreSQL's is hunted down by halving; the entry that fails alone
        is put off, and dead-lettered as poison when it keeps failing. Suspects are folded last
        and one by one.
        """
        try:
            with tracing.batch("fold", "internal", event_ids):
                held = await self._commit(event_ids)
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("fold_failed", events=len(event_ids), error=type(error).__name__)
            await self._isolate(event_ids)
        else:
            telemetry.FOLDED.inc(len(event_ids))
            self._hand_on(held)
            for suspect in held.suspects:
                await self._try(suspect)

    async def _try(self, suspect: UUID) -> None:
        """Fold a suspect alone, its crash counted before it can happen: a dead worker cannot."""
        if self._on_trial != suspect and not await self._begin(suspect):
            return
        self._on_trial = suspect
        try:
            with tracing.batch("fold", "internal", [suspect]):
                held = await self._commit([suspect], alone=True)
        except StoreUnavailable:
            raise  # the same hand comes again, and this crash is counted already
        except Exception as error:
            log.exception("fold_failed", events=1, error=type(error).__name__)
            await self._isolate([suspect])
        else:
            telemetry.FOLDED.inc()
            self._hand_on(held)
        self._on_trial = None

    async def _begin(self, suspect: UUID) -> bool:
        """Whether to try it now; one that has ended worker after worker is buried instead."""
        async with transaction(self._pool) as tx:
            entry = await outbox.begin(tx, suspect, trial=TRIAL)
            if entry is not None and entry.crashes > DEATHS_TO_POISON:
                await _bury(tx, suspect, "Each worker that folded this event alone ended at it.")
                return False
        return entry is not None

    async def _isolate(self, event_ids: Sequence[UUID]) -> None:
        if len(event_ids) > 1:
            middle = len(event_ids) // 2
            await self.fold(event_ids[:middle])
            await self.fold(event_ids[middle:])
            return
        async with transaction(self._pool) as tx:
            for entry in await outbox.take(tx, event_ids):
                await _put_off(tx, entry)

    async def _commit(self, event_ids: Sequence[UUID], *, alone: bool = False) -> Held:
        """One transaction; it begins anew where it turns out that more must be locked first."""
        needed: frozenset[Name] = frozenset()
        for _ in range(BEGINNINGS):
            try:
                return await self._attempt(event_ids, alone=alone, needed=needed)
            except NamesNeeded as missing:
                needed |= missing.names
            except SubjectsMoved:
                continue
        raise StoreUnavailable("The subjects of these events are moving; they are tried again.")

    async def _attempt(
        self, event_ids: Sequence[UUID], *, alone: bool, needed: Collection[Name]
    ) -> Held:
        """Four round trips, five where an event follows another, whatever else the events are."""
        since = time.monotonic()
        rules, plan = self.rules, Plan()
        async with transaction(self._pool) as tx:
            taken = await folding.take(tx, event_ids, alone=alone, names=needed)
            suspects = [entry.event_id for entry in taken.entries if entry.solo and not alone]
            owed = [one.event_id for one in taken.entries if one.event_id not in suspects]
            if not owed:
                return Held([], since, suspects)
            await _decide(tx, plan, taken, rules, needed)
            _finish(plan, owed, alone=alone)
            leases = await write(tx, plan.writes)
        telemetry.FOLD_SECONDS.observe(time.monotonic() - since)
        roads.tell(plan.moves, plan.ends)
        return Held(leases, since, suspects, roads.origins(plan.moves))


async def _decide(
    tx: Connection, plan: Plan, taken: Taken, rules: Rules, needed: Collection[Name]
) -> None:
    """Plan what becomes of the events that were taken."""
    events = begin(plan, taken.events, rules)
    if not events:
        return
    locked = {name for event in events for name in names.of(event.statement)} | set(needed)
    named = {event.home for event in events if event.home is not None}
    standing = await folding.stand(tx, named, names=locked)
    seating = seat(standing, events, locked=locked)
    plan.writes.put_off += seating.ahead
    after = await settle(tx, plan, seating, rules)
    wait(plan, seating, after=after, until=taken.at + rules.deadline)


def _finish(plan: Plan, owed: Sequence[UUID], *, alone: bool) -> None:
    put_off = {*plan.writes.put_off, *plan.writes.again}
    plan.writes.finished = [event_id for event_id in owed if event_id not in put_off]
    plan.writes.pause, plan.writes.forgive = UPGRADE_PAUSE, alone


async def _put_off(tx: Connection, entry: Entry) -> None:
    """Try an entry that failed alone again later; the crash of a suspect is counted already."""
    if not entry.solo or entry.crashes < CRASHES_TO_POISON:
        await outbox.postpone(tx, [entry.event_id], delay=CRASH_PAUSE, crashed=not entry.solo)
        return
    summary = "Folding this event alone failed again and again; see the log for the error."
    await _bury(tx, entry.event_id, summary)


async def _bury(tx: Connection, event_id: UUID, summary: str) -> None:
    telemetry.POISONED.inc()
    log.error("event_poisoned", event_id=str(event_id))
    await dead_letters.bury_events(tx, {event_id: DeadLetter(Reason.POISON, summary)})
    await outbox.finish(tx, [event_id])
