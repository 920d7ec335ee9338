"""Long work an operator asked for: claimed by one process, taken in strides at a bounded rate."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import structlog

from service import supervisor, telemetry
from service.domain.errors import OrderhookError, StoreUnavailable
from service.ops.lookups import BadCursor, Body, Page, decode_cursor, encode_cursor
from service.store import jobs
from service.store.jobs import Filter, Job, Kind
from service.store.pool import Connection, Pool, session, transaction
from service.supervisor import pause

log = structlog.get_logger()

POLL = 0.5
FAILING = 2.0
LOCKED = 0.2
"""Seconds to wait for rows that others hold."""
STRIDES_PER_SECOND = 5
MOST_ROWS = 200
"""Rows of one stride: it holds their locks."""
USUAL_RATE = 500
MOST_RATE = 10_000

ENDED = ("finished", "failed", "cancelled")
UNKNOWN = "No job has this id; it is the `job` of the answer that made it."
ASKED: Mapping[Kind, Sequence[str]] = {
    "redrive": ("selection",),
    "discard": ("selection", "because"),
    "replay": ("source", "since", "until", "outcomes", "event_ids"),
    "refold": ("lifecycle",),
    "reconcile": ("destination", "since", "dry_run"),
}
"""Of what a job remembers: that which somebody asked for."""


@dataclass(frozen=True, slots=True)
class Stride:
    """What one small transaction did; the job's own row is changed in the same one."""

    cursor: str | None
    done: int
    skipped: int = 0
    over: bool = False
    """Whether nothing is left to do."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """What it found, by the words of its kind."""


Step = Callable[[Connection, Job, int], Awaitable[Stride]]
"""Takes a transaction, the job and how many rows at most; doing a row twice changes nothing."""
Look = Callable[[Job, int], Awaitable[Step]]
"""Asks outside what a stride must know, while no transaction is open, and gives that stride.

It must be done well within the lease of a job.
"""


async def listed(pool: Pool, wanted: Filter, page: Page) -> Body:
    """Answer what GET /jobs answers: the job asked for last, first."""
    before = _place(page.cursor) if page.cursor else None
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        found = await jobs.listed(tx, wanted, before=before, limit=page.limit + 1)
    shown = found[: page.limit]
    more = len(found) > page.limit
    return {
        "items": [body(job) for job in shown],
        "next": encode_cursor([str(shown[-1].id)]) if more else None,
    }


async def read(pool: Pool, job_id: UUID) -> Body | None:
    """Answer what GET /jobs/{id} answers."""
    job = await find(pool, job_id)
    return body(job) if job else None


async def find(pool: Pool, job_id: UUID) -> Job | None:
    async with session(pool) as connection:
        return await jobs.read(connection, job_id)


def body(job: Job) -> Body:
    return {
        "id": str(job.id),
        "kind": job.kind,
        "state": job.state,
        "actor": job.actor,
        "approved_by": job.approved_by,
        "asked": {name: job.request.get(name) for name in ASKED[job.kind]},
        "rate": job.rate,
        "matched": job.matched,
        "done": job.done,
        "skipped": job.skipped,
        "counts": job.counts,
        "error": job.error,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


class Runner:
    """Any number of runners may be up: a job belongs to the one whose lease it carries."""

    def __init__(
        self, pool: Pool, steps: Mapping[str, Step], *, looks: Mapping[str, Look] | None = None
    ) -> None:
        self._pool = pool
        self._steps = steps
        self._looks = looks or {}

    async def run(self, stop: asyncio.Event) -> None:
        """Take jobs one after the other, until stopped."""
        while not stop.is_set():
            supervisor.beat()
            job = await self._claim()
            if job is None:
                await pause(stop, POLL)
            else:
                await self.carry(job, stop)

    async def carry(
        self, job: Job, stop: asyncio.Event, *, told: Callable[[Job], None] | None = None
    ) -> Job:
        """Take a claimed job to its end; when stopped, give it back for others to go on."""
        clock = asyncio.get_running_loop().time
        while job.state == "running":
            if stop.is_set():
                return await self._give_back(job)
            supervisor.beat()
            began = clock()
            try:
                taken = await self._stride(job)
            except StoreUnavailable as error:
                log.warning("job_waits_for_store", job=str(job.id), reason=str(error))
                await pause(stop, FAILING)
                continue
            if taken is None:
                return job
            job, rows = taken
            if told is not None:
                told(job)
            wait = max(LOCKED if not rows else 0.0, rows / job.rate - (clock() - began))
            if job.state == "running" and wait > 0:
                await pause(stop, wait)
        return job

    async def _claim(self) -> Job | None:
        try:
            async with transaction(self._pool) as tx:
                return await jobs.claim(tx, {**self._steps, **self._looks})
        except StoreUnavailable as error:
            log.warning("jobs_wait_for_store", reason=str(error))
            return None

    async def _stride(self, job: Job) -> tuple[Job, int] | None:
        """One small transaction: the job as it stands then, and how many rows were taken.

        None when the job is not this process's any more.
        """
        try:
            step = await self._step(job)
            async with transaction(self._pool) as tx:
                held = await jobs.hold(tx, job)
                if held is None:
                    _tell_of_loss(await jobs.read(tx, job.id))
                    return None
                made = await step(tx, held, _rows(job.rate))
                if made.over:
                    after = await jobs.finish(
                        tx, held, done=made.done, skipped=made.skipped, counts=made.counts
                    )
                else:
                    after = await jobs.advance(
                        tx,
                        held,
                        cursor=made.cursor,
                        done=made.done,
                        skipped=made.skipped,
                        counts=made.counts,
                    )
        except StoreUnavailable:
            raise
        except OrderhookError as error:
            log.warning("job_refused", job=str(job.id), kind=job.kind, reason=str(error))
            return await self._fail(job, str(error)), 0
        except Exception as error:
            log.exception("job_failed", job=str(job.id), kind=job.kind, error=type(error).__name__)
            said = f"The job stopped at an error of ours; the log names it under job={job.id}."
            return await self._fail(job, said), 0
        telemetry.JOB_ROWS.labels(job.kind).inc(made.done)
        if made.over:
            log.info("job_finished", job=str(job.id), kind=job.kind, done=after.done)
        return after, made.done + made.skipped

    async def _step(self, job: Job) -> Step:
        look = self._looks.get(job.kind)
        return self._steps[job.kind] if look is None else await look(job, _rows(job.rate))

    async def _fail(self, job: Job, error: str) -> Job:
        async with transaction(self._pool) as tx:
            await jobs.fail(tx, job, error=error)
            failed = await jobs.read(tx, job.id)
        assert failed is not None
        return failed

    async def _give_back(self, job: Job) -> Job:
        try:
            async with transaction(self._pool) as tx:
                await jobs.release(tx, job)
        except StoreUnavailable as error:
            log.warning("job_not_released", job=str(job.id), reason=str(error))
        return job


def _rows(rate: int) -> int:
    """Small strides: progress is seen to move, and locks are short."""
    return max(1, min(MOST_ROWS, rate // STRIDES_PER_SECOND))


def _tell_of_loss(now: Job | None) -> None:
    if now is not None and now.state == "cancelled":
        log.info("job_cancelled", job=str(now.id), kind=now.kind, done=now.done)
    else:
        log.warning("job_taken_over", job=str(now.id) if now else None)


def _place(cursor: str) -> UUID:
    match decode_cursor(cursor):
        case [str(text)]:
            try:
                return UUID(text)
            except ValueError:
                raise BadCursor from None
        case _:
            raise BadCursor
