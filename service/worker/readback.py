"""Syncs as they stand come in; what their destination shows of them goes out, and nothing changes.

The same eyes for a person who asks about one order and for a sweep over all of them.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Literal, Protocol, TypeVar

import structlog

from service.domain import drift, keys
from service.domain.drift import Drift, Shown
from service.domain.law import State
from service.settings import Destination
from service.store.sightings import Standing
from service.worker import wording
from service.worker.crms.base import (
    Answer,
    Change,
    Class,
    Crm,
    Known,
    Page,
    Record,
    Records,
    Target,
    Wanted,
    Write,
)
from service.worker.delivery import cleaning
from service.worker.delivery.calls import Calls

log = structlog.get_logger()

Outcome = Literal["right", "drifted", "missing", "unread", "told"]
SHORT = 0.05
"""Seconds; less than this is no time for a call."""

T = TypeVar("T")


class Purse(Protocol):
    """The shared quotas of a destination."""

    async def ready(self, *, live: bool) -> float: ...

    def rest(self, scope: str | None, after: timedelta | None) -> None: ...


@dataclass(frozen=True, slots=True)
class Adapter:
    """One destination that can be asked."""

    rule: Destination
    crm: Crm
    budget: Purse = field(repr=False)


@dataclass(slots=True)
class Sight:
    """One sync, and what its destination shows of it."""

    standing: Standing
    outcome: Outcome
    detail: str = ""
    """Why it was not read, in a sentence."""
    write: Write | None = None
    """What would make it right."""
    wanted: Shown = field(default_factory=dict)
    found: Shown = field(default_factory=dict)
    record: Record | None = None
    drift: Drift | None = None
    answers: list[tuple[Answer, int]] = field(default_factory=list)
    """Each exchange about it, and how many milliseconds that took."""

    @property
    def last(self) -> Answer | None:
        return self.answers[-1][0] if self.answers else None


class Reader:
    """Asks one destination, and is done at `until` of the monotonic clock come what may."""

    def __init__(self, adapter: Adapter, *, until: float, live: bool) -> None:
        self._adapter = adapter
        self._until = until
        self._live = live
        self._calls = Calls(adapter.rule.name)

    async def look(self, standings: Sequence[Standing]) -> list[Sight]:
        """One for each: read by its id where that is known, else looked for by its number."""
        rule, crm = self._adapter.rule, self._adapter.crm
        sights = [begun(each, rule, crm) for each in standings]
        if not isinstance(crm, Records):
            return sights
        going = [sight for sight in sights if sight.write is not None]
        for some in _cut((each for each in going if _id(each)), crm.capabilities.batch):
            await self._read(crm, some)
        for some in _cut((each for each in going if not _id(each)), crm.capabilities.batch):
            await self._find(crm, some)
        return sights

    async def _read(self, crm: Records, going: Sequence[Sight]) -> None:
        if not await self._paid(going):
            return
        known = [
            Known(_write(each).target, _id(each) or "", tuple(_write(each).fields))
            for each in going
        ]
        came, ms = await self._calls.read(crm, known, until=self._until)
        for sight, said in zip(going, came, strict=True):
            match said:
                case Record():
                    sight.answers.append((Answer(Class.OK, "read"), ms))
                    compared(sight, said)
                case Answer(kind=Class.NOT_FOUND, tried=True):
                    # It may be there under another id: it is looked for by its number.
                    sight.answers.append((cleaning.answer(said), ms))
                    sight.write = replace(_write(sight), remote_id=None)
                case Answer():
                    self._failed(sight, said, ms)

    async def _find(self, crm: Records, going: Sequence[Sight]) -> None:
        if not await self._paid(going):
            return
        wanted = [
            Wanted(_write(each).target, _write(each).key, tuple(_write(each).fields))
            for each in going
        ]
        came, ms = await self._calls.find(crm, wanted, until=self._until)
        for sight, said in zip(going, came, strict=True):
            if not isinstance(said, Answer):
                self._found(sight, said, ms)
            elif said.kind is Class.NOT_FOUND and said.tried:
                self._found(sight, [], ms)
            else:
                self._failed(sight, said, ms)

    def _found(self, sight: Sight, records: Sequence[Record], ms: int) -> None:
        name, key = self._adapter.rule.name, _write(sight).key
        match list(records):
            case [record]:
                sight.answers.append((Answer(Class.OK, "find"), ms))
                compared(sight, record)
            case []:
                sight.outcome = "missing"
                sight.detail = f"{name} has no record with the number {key}."
                said = Answer(Class.NOT_FOUND, "find", detail=sight.detail)
                sight.answers.append((cleaning.answer(said), ms))
            case many:
                ids = ", ".join(record.remote_id for record in many[:5])
                sight.detail = f"{len(many)} records of {name} carry {key} ({ids})."
                sight.answers.append((Answer(Class.OK, "find"), ms))

    def _failed(self, sight: Sight, said: Answer, ms: int) -> None:
        answer = cleaning.answer(said)
        if answer.kind is Class.RATE and answer.tried:
            self._adapter.budget.rest(answer.scope, answer.after)
        sight.answers.append((answer, ms))
        sight.detail = f"{self._adapter.rule.name} could not be read: {answer.detail or 'no word'}"

    async def _paid(self, going: Sequence[Sight]) -> bool:
        """Whether a call may start; it waits its turn as long as there is time."""
        paid = await self._admitted()
        if not paid:
            for sight in going:
                sight.detail = f"The quota of {self._adapter.rule.name} is spent for now."
        return paid

    async def _admitted(self) -> bool:
        return await admitted(self._adapter.budget, live=self._live, until=self._until)


async def admitted(budget: Purse, *, live: bool, until: float) -> bool:
    """Whether a call may start before that moment; live work goes first, this waits."""
    while (left := until - time.monotonic()) > SHORT:
        wait = await budget.ready(live=live)
        if wait <= 0:
            return True
        await asyncio.sleep(min(wait, left))
    return False


def begun(standing: Standing, rule: Destination, crm: Crm) -> Sight:
    """Put into the words of the destination; where that ends it, without a write."""
    if not isinstance(crm, Records):
        detail = f"{rule.name} is told every change and keeps no record that could be read."
        return Sight(standing, "told", detail)
    said = wording.worded(_change(standing), rule, crm.targets)
    if isinstance(said, Answer):
        return Sight(standing, "unread", f"{rule.name} cannot be asked: {said.detail}")
    write = replace(said, remote_id=standing.remote_id)
    return Sight(standing, "unread", write=write, wanted=_wanted(standing, write))


def compared(sight: Sight, record: Record) -> None:
    """Hold it against a record as it is."""
    record = cleaning.record(record)
    target: Target = _write(sight).target
    sight.record = record
    sight.found = {**record.fields, target.status_field: record.status}
    sight.drift = drift.compare(
        sight.wanted,
        sight.found,
        written=sight.standing.written,
        intents=sight.standing.intents,
        by_us=record.by_us,
    )
    sight.outcome = "drifted" if sight.drift.differences else "right"
    sight.detail = ""


def by_person(sight: Sight, rule: Destination) -> bool:
    """Whether what differs is a person's, whose word counts there."""
    respected = rule.conflict == "respect" and not sight.standing.overrule
    return respected and sight.drift is not None and bool(sight.drift.by_person)


def _wanted(standing: Standing, write: Write) -> Shown:
    """What it should show: its present state, unless no route has led that there."""
    shown = wording.shown(write)
    if standing.desired >= standing.version or standing.written is None:
        return shown
    return {name: text for name, text in standing.written.items() if name in shown}


def _change(standing: Standing) -> Change:
    state = State.from_json(standing.state)
    return Change(
        subject=standing.subject,
        status=standing.status,
        previous=None,
        lanes=state.lanes_view,
        attributes=state.attributes_view,
        version=standing.version,
        event_ids=(),
        occurred_at=None,
        changed_at=standing.changed_at,
        key=keys.idempotency_key(standing.destination, standing.subject, standing.version),
    )


def _write(sight: Sight) -> Write:
    assert sight.write is not None
    return sight.write


def _id(sight: Sight) -> str | None:
    return sight.write.remote_id if sight.write else None


def _cut(whole: Iterator[T], size: int) -> Iterator[list[T]]:
    rest = iter(list(whole))
    while some := list(islice(rest, max(size, 1))):
        yield some


def against(standing: Standing, record: Record, rule: Destination, crm: Crm) -> Sight:
    """Hold a sync against a record that came without being asked for by its id."""
    sight = begun(standing, rule, crm)
    if sight.write is not None:
        compared(sight, record)
    return sight


async def changed(
    adapter: Adapter, lifecycle: str, *, since: datetime, cursor: str | None, until: float
) -> Page | Answer | None:
    """One page of what changed there since a moment; None: a lifecycle has no record there."""
    crm, rule = adapter.crm, adapter.rule
    place = wording.place(lifecycle, rule, crm.targets) if isinstance(crm, Records) else None
    if place is None or not isinstance(crm, Records):
        return None
    target, fields = place
    if not await admitted(adapter.budget, live=False, until=until):
        return Answer(Class.RATE, "read", detail="Its quota is spent for now.", tried=False)
    try:
        async with asyncio.timeout(max(until - time.monotonic(), SHORT)):
            return await crm.read_back(target, fields, since=since, cursor=cursor)
    except TimeoutError:
        return Answer(Class.TRANSIENT, "read", detail="What changed was not read in time.")
    except Exception:
        log.exception("crm_adapter_failed", destination=rule.name)
        return Answer(Class.TRANSIENT, "read", detail="The adapter failed; see the log.")
