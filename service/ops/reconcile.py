"""A destination comes in; a job goes out that reads it back and owes again what drifted there.

Nothing here is in a hurry: live work goes first, and what is repaired goes last.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import orjson
import structlog

from service import supervisor
from service.domain.errors import Declined, NotFound, OrderhookError, StoreUnavailable
from service.domain.routing import PRIORITIES
from service.ops import mending
from service.ops.jobs import Step, Stride
from service.ops.lookups import Body
from service.ops.refresh import Adapters
from service.settings import Destination, ObjectRule
from service.store import actions, destinations, jobs, sightings
from service.store.jobs import Job
from service.store.pool import Connection, Pool, session, transaction
from service.store.sightings import Standing
from service.worker import readback
from service.worker.crms import registry as crms
from service.worker.crms.base import Answer, Class, Page, Record
from service.worker.readback import Adapter, Reader, Sight

log = structlog.get_logger()

USUAL_RATE = 200
USUAL_SINCE = timedelta(hours=24)
"""How far a feed of changes is read back, unless told."""
MOST_ROWS = 200
LONGEST = 15.0
"""Seconds one look may take: well within the lease of a job."""
PAUSE = 1.0
MOST_FAILURES = 10
"""Looks in a row that came to nothing, until the job is given up."""
EVERY = timedelta(0)
LOOK_EVERY = 60.0
PRIORITY = PRIORITIES["low"]
BROKEN = (Class.AUTH, Class.HUMAN, Class.PERMANENT, Class.GONE)
"""No other look would end otherwise."""


class Stopped(OrderhookError):
    """The destination cannot be read until somebody does something about it."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants reconciled, and how."""

    destination: str
    actor: str
    since: datetime | None = None
    dry_run: bool = False
    rate: int = USUAL_RATE


async def place(
    pool: Pool, configured: Mapping[str, Destination], wish: Wish, *, mine: bool = False
) -> tuple[Job, Body]:
    """Put the job in line; with `mine` the caller carries it.

    A dry run reads and counts, and repairs nothing; it is a job, too.
    """
    reads_feed = _expect_readable(configured, wish.destination)
    async with transaction(pool) as tx:
        busy, _ = await jobs.turn(tx, wish.destination, every=EVERY)
        if busy:
            raise Declined(
                f"{wish.destination} is reconciled already; `GET /jobs/…` tells how far."
            )
        job = await _add(tx, wish, reads_feed=reads_feed, mine=mine)
        detail = {"since": wish.since, "dry_run": wish.dry_run, "job": str(job.id)}
        await actions.record(
            tx, wish.actor, "destination.reconcile", target=wish.destination, detail=detail
        )
    return job, {"job": str(job.id), "matched": job.matched}


async def _add(tx: Connection, wish: Wish, *, reads_feed: bool, mine: bool = False) -> Job:
    matched, lifecycles = await sightings.extent(
        tx, wish.destination, since=None if reads_feed else wish.since
    )
    asked = {
        "destination": wish.destination,
        "since": wish.since and wish.since.isoformat(),
        "dry_run": wish.dry_run,
        "lifecycles": lifecycles,
    }
    return await jobs.add(
        tx,
        "reconcile",
        actor=wish.actor,
        request=asked,
        rate=wish.rate,
        matched=matched,
        mine=mine,
    )


def _expect_readable(configured: Mapping[str, Destination], name: str) -> bool:
    """Whether what changed there is read, rather than every record of ours."""
    rule = configured.get(name)
    if rule is None:
        known = ", ".join(sorted(configured)) or "none"
        raise NotFound(f"There is no destination {name}; configured are: {known}.")
    kind = crms.crms_by_name()[rule.crm]
    if kind.targets is None:
        raise Declined(
            f"{name} is told every change and keeps no records that could be read: there is "
            "nothing to reconcile."
        )
    return bool(kind.capabilities and kind.capabilities.feed)


def keeper(pool: Pool, configured: Callable[[], Mapping[str, Destination]]) -> supervisor.Run:
    """Reconcile destinations as often as they say (`reconcile`), one process for all."""

    async def run(stop: asyncio.Event) -> None:
        while not stop.is_set():
            supervisor.beat()
            for rule in configured().values():
                if rule.reconcile is not None:
                    await _in_turn(pool, rule, every=rule.reconcile)
            await supervisor.pause(stop, LOOK_EVERY)

    return run


async def _in_turn(pool: Pool, rule: Destination, *, every: timedelta) -> None:
    try:
        reads_feed = _expect_readable({rule.name: rule}, rule.name)
        async with transaction(pool) as tx:
            busy, due = await jobs.turn(tx, rule.name, every=every)
            if due and not busy:
                await _add(tx, Wish(rule.name, "orderhook"), reads_feed=reads_feed)
    except (Declined, StoreUnavailable) as error:
        log.warning("reconcile_not_placed", destination=rule.name, reason=str(error))


@dataclass(slots=True)
class Reconciler:
    """Looks at one page of a destination at a time; the stride writes down what was seen."""

    pool: Pool
    adapters: Adapters = field(repr=False)
    _failures: Counter[UUID] = field(default_factory=Counter)

    async def look(self, job: Job, _limit: int) -> Step:
        """One page, read while no transaction is open."""
        adapter = self._adapter(job.request["destination"])
        view = await destinations.look(self.pool, adapter.rule.name)
        if view.paused:
            raise Stopped(f"{adapter.rule.name} is paused: resume it, then reconcile it again.")
        if view.breaker != "closed":
            await asyncio.sleep(PAUSE)
            return _idle
        until = time.monotonic() + min(adapter.rule.timeout.total_seconds(), LONGEST)
        if adapter.crm.capabilities.feed:
            return await self._feed(job, adapter, until=until)
        return await self._page(job, adapter, until=until)

    def _adapter(self, name: str) -> Adapter:
        adapter = self.adapters().get(name)
        if adapter is None:
            raise Stopped(f"{name} is configured no more, or not in this process: reload it.")
        return adapter

    async def _page(self, job: Job, adapter: Adapter, *, until: float) -> Step:
        """Some of our syncs, each read by its id or looked for by its number."""
        since = job.request["since"]
        async with session(self.pool) as connection:
            standings = await sightings.page(
                connection,
                adapter.rule.name,
                since=since and datetime.fromisoformat(since),
                after=int(job.cursor or 0),
                limit=min(max(adapter.crm.capabilities.batch, 1), MOST_ROWS),
            )
        if not standings:
            return _over
        sights = await Reader(adapter, until=until, live=False).look(standings)
        asked = [sight for sight in sights if sight.write is not None]
        if any(sight.outcome == "unread" and not sight.answers for sight in asked):
            return _idle
        failed = [sight.last for sight in asked if sight.outcome == "unread" and sight.last]
        if failed and len(failed) == len(asked):
            return await self._failed(job, adapter, failed[0])
        self._failures.pop(job.id, None)
        return _stride(sights, adapter.rule, cursor=str(standings[-1].subject_id))

    async def _feed(self, job: Job, adapter: Adapter, *, until: float) -> Step:
        """Some of what changed there, matched with our syncs."""
        lifecycles = job.request["lifecycles"]
        number, cursor = orjson.loads(job.cursor) if job.cursor else (0, None)
        if number >= len(lifecycles):
            return _over
        since = _since(job)
        page = await readback.changed(
            adapter, lifecycles[number], since=since, cursor=cursor, until=until
        )
        if isinstance(page, Answer):
            if page.kind is Class.RATE and page.tried:
                adapter.budget.rest(page.scope, page.after)
            return await self._failed(job, adapter, page)
        self._failures.pop(job.id, None)
        more = page is not None and page.cursor not in (None, cursor)
        following = [number, page.cursor] if page and more else [number + 1, None]
        sights, unknown = (
            await self._matched(adapter, lifecycles[number], page) if page else ([], 0)
        )
        return _stride(
            sights, adapter.rule, cursor=orjson.dumps(following).decode(), unknown=unknown
        )

    async def _matched(
        self, adapter: Adapter, lifecycle: str, page: Page
    ) -> tuple[list[Sight], int]:
        """Our syncs behind the records of a page, and how many records no order leads to."""
        rule, crm = adapter.rule, adapter.crm
        records = {record.remote_id: record for record in page.records}
        plain = rule.objects.get(lifecycle, ObjectRule()).key == "{ref}"
        by_key = {record.key: record for record in records.values() if record.key and plain}
        async with session(self.pool) as tx:
            known = await sightings.by_records(tx, rule.name, lifecycle, list(records))
            named = await sightings.by_refs(tx, rule.name, lifecycle, list(by_key))
        found: dict[int, tuple[Standing, Record]] = {}
        for each in named:
            if each.remote_id in (None, by_key[each.subject.ref].remote_id):
                found[each.subject_id] = each, by_key[each.subject.ref]
        for each in known:
            found[each.subject_id] = each, records[each.remote_id or ""]
        sights = [
            readback.against(each, record, rule, crm)
            for each, record in found.values()
            if each.sync in ("synced", "held")
        ]
        matched = {record.remote_id for _, record in found.values()}
        return sights, len(records) - len(matched)

    async def _failed(self, job: Job, adapter: Adapter, answer: Answer) -> Step:
        """Try the same page again, unless that is hopeless."""
        if answer.kind is Class.RATE:
            await asyncio.sleep(min((answer.after or timedelta(seconds=PAUSE)).total_seconds(), 5))
            return _idle
        self._failures[job.id] += 1
        if answer.kind in BROKEN or self._failures[job.id] >= MOST_FAILURES:
            self._failures.pop(job.id, None)
            raise Stopped(f"{adapter.rule.name} could not be read: {answer.detail}")
        await asyncio.sleep(PAUSE)
        return _idle


def _since(job: Job) -> datetime:
    said = job.request["since"]
    return datetime.fromisoformat(said) if said else job.created_at - USUAL_SINCE


async def _idle(_tx: Connection, job: Job, _limit: int) -> Stride:
    """Nothing could be read; the same page is tried again."""
    return Stride(job.cursor, done=0)


async def _over(_tx: Connection, job: Job, _limit: int) -> Stride:
    return Stride(job.cursor, done=0, over=True)


def _stride(sights: Sequence[Sight], rule: Destination, *, cursor: str, unknown: int = 0) -> Step:
    async def stride(tx: Connection, job: Job, _limit: int) -> Stride:
        repaired = (
            {}
            if job.request["dry_run"]
            else await mending.mend(tx, sights, rule, priority=PRIORITY)
        )
        telling = (sight for sight in sights if sight.outcome != "right")
        await mending.record(tx, telling, destination=rule.name)
        outcomes = Counter(sight.outcome for sight in sights)
        counts = {
            "right": outcomes["right"],
            "drifted": outcomes["drifted"] + outcomes["missing"],
            "unknown": outcomes["unread"] + unknown,
            "repaired": len(repaired),
        }
        return Stride(cursor, done=len(sights), counts=counts)

    return stride
