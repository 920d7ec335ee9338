"""Owed events come in; subjects move to their lawful state and syncs become owed, in one commit."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import structlog

from service import telemetry, tracing
from service.domain import law, routing
from service.domain.errors import StoreUnavailable
from service.domain.events import Event, Fate, Outcome, Subject
from service.domain.law import Folded, State
from service.domain.lifecycle import overall
from service.domain.lifecycles import LIFECYCLES
from service.domain.routing import Route
from service.domain.verdict import DeadLetter, Reason
from service.store import dead_letters, outbox, subjects, syncs
from service.store import events as store_events
from service.store.outbox import Entry
from service.store.pool import Connection, Pool, transaction
from service.store.subjects import Row, Saved, Step
from service.store.syncs import Debt, Lease
from service.worker import roads
from service.worker.roads import Move, Origin

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


@dataclass(slots=True)
class Plan:
    """Everything one fold will write."""

    saved: list[Saved] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    outcomes: dict[UUID, tuple[Outcome, str]] = field(default_factory=dict)
    dead: dict[UUID, DeadLetter] = field(default_factory=dict)
    debts: list[Debt] = field(default_factory=list)
    put_off: list[UUID] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    ends: list[roads.End] = field(default_factory=list)


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
    """`routes` and `leases` (destination to lease time) may be swapped on reload."""

    def __init__(
        self,
        pool: Pool,
        routes: Sequence[Route],
        *,
        leases: Mapping[str, timedelta],
        hand_on: Callable[[Held], None],
    ) -> None:
        self._pool = pool
        self.routes = routes
        self.leases = leases
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
        since = time.monotonic()
        async with transaction(self._pool) as tx:
            entries = await outbox.take(tx, event_ids)
            suspects = [entry.event_id for entry in entries if entry.solo and not alone]
            owed = [entry.event_id for entry in entries if entry.event_id not in suspects]
            if not owed:
                return Held([], since, suspects)
            plan = await self._plan(tx, await store_events.load(tx, owed))
            await subjects.save(tx, plan.saved, steps=plan.steps)
            await store_events.decide(tx, plan.outcomes)
            await dead_letters.bury_events(tx, plan.dead)
            leases = await syncs.owe(tx, plan.debts)
            await outbox.postpone(tx, plan.put_off, delay=UPGRADE_PAUSE, crashed=False)
            if alone:
                await outbox.forgive(tx, plan.put_off)
            await outbox.finish(tx, [one for one in owed if one not in plan.put_off])
        telemetry.FOLD_SECONDS.observe(time.monotonic() - since)
        roads.tell(plan.moves, plan.ends)
        return Held(leases, since, suspects, roads.origins(plan.moves))

    async def _plan(self, tx: Connection, events: Sequence[Event]) -> Plan:
        plan = Plan()
        by_subject: dict[Subject, list[Event]] = {}
        for event in events:
            if (end := _end(event)) is not None:
                _settle_unfolded(plan, event, end)
            else:
                assert event.subject is not None
                by_subject.setdefault(event.subject, []).append(event)
        rows = await subjects.lock(tx, by_subject)
        for name in [name for name in by_subject if rows[name].law > law.LAW]:
            plan.put_off += [event.id for event in by_subject.pop(name)]
        advanced = {name: _advance(rows[name], news) for name, news in by_subject.items()}
        stale = [name for name, folded in advanced.items() if folded is None]
        refolded = await _refold(tx, stale, including=[event.id for event in events])
        for name, news in by_subject.items():
            folded = advanced[name] or refolded[name]
            self._move(plan, rows[name], folded=folded, news=news)
        return plan

    def _move(self, plan: Plan, row: Row, *, folded: Folded, news: Sequence[Event]) -> None:
        """Take one subject to its new state; a new version only if anything can be seen of it."""
        state = folded.state
        plan.outcomes |= {key: (said.outcome, said.reason) for key, said in folded.outcomes.items()}
        before = State.from_json(row.state) if row.state is not None else State.empty()
        lifecycle = LIFECYCLES[row.subject.lifecycle]
        status = overall(lifecycle, state.lanes_view)
        changed = (row.status, before.lanes_view, before.attributes_view) != (
            status,
            state.lanes_view,
            state.attributes_view,
        )
        version = row.version + changed
        owed_to = [name for name in routing.destinations(self.routes, news) if name in self.leases]
        plan.moves.append(Move(row.subject, version, news, owed_to if changed else ()))
        plan.saved.append(Saved(row.id, status, version, law.LAW, state.to_json()))
        if changed:
            plan.steps.append(
                Step(
                    subject_id=row.id,
                    version=version,
                    previous=row.status,
                    status=status,
                    lanes=state.lanes_view,
                    occurred_at=state.last.occurred_at if state.last else None,
                    event_ids=[event.id for event in news],
                )
            )
            plan.debts += [Debt(row.id, name, version, self.leases[name]) for name in owed_to]


def _advance(row: Row, news: Sequence[Event]) -> Folded | None:
    """The incremental form, where it may be used: the same law, and nothing out of order."""
    if row.state is None:
        return law.fold(LIFECYCLES[row.subject.lifecycle], news)
    if row.law < law.LAW:
        return None
    return law.advance(LIFECYCLES[row.subject.lifecycle], State.from_json(row.state), news)


async def _refold(
    tx: Connection, stale: Sequence[Subject], *, including: Sequence[UUID]
) -> dict[Subject, Folded]:
    """The law itself, on every accepted event of the subjects."""
    if not stale:
        return {}
    telemetry.REFOLDS.inc(len(stale))
    everything: dict[Subject, list[Event]] = {name: [] for name in stale}
    for event in await store_events.of_subjects(tx, stale, including=including):
        assert event.subject is not None
        everything[event.subject].append(event)
    return {
        name: law.fold(LIFECYCLES[name.lifecycle], events) for name, events in everything.items()
    }


DEAD_AT_ONCE: Mapping[Fate, Reason] = {
    Fate.UNREADABLE: Reason.UNREADABLE,
    Fate.UNMAPPED: Reason.UNMAPPED,
    Fate.UNRESOLVED: Reason.UNRESOLVED_SUBJECT,
}

End = DeadLetter | str
"""A dead letter, or the sentence that says why an event is ignored."""


def _end(event: Event) -> End | None:
    """Where an event ends without touching a subject; None when it is to be folded."""
    said = event.statement
    if said.fate is Fate.IGNORED:
        return said.note
    if said.fate is not Fate.FOLD:
        return DeadLetter(DEAD_AT_ONCE[said.fate], said.note)
    if said.ref is None:
        return DeadLetter(Reason.UNRESOLVED_SUBJECT, "The event names no order.")
    if said.lifecycle not in LIFECYCLES:
        return DeadLetter(Reason.UNMAPPED, f"There is no lifecycle {said.lifecycle!r}.")
    return None


def _settle_unfolded(plan: Plan, event: Event, end: End) -> None:
    if isinstance(end, DeadLetter):
        plan.dead[event.id] = end
        plan.ends.append(roads.End(event, end.reason))
    else:
        plan.outcomes[event.id] = (Outcome.IGNORED, end)
        plan.ends.append(roads.End(event, Outcome.IGNORED))


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
