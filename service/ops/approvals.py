"""Jobs in the hands of people: who approves or ends one comes in, the job as it stands goes out."""

from datetime import timedelta
from uuid import UUID

import structlog

from service.domain.errors import Declined, NotFound
from service.ops.jobs import UNKNOWN, body
from service.ops.lookups import Body
from service.store import actions, jobs
from service.store.jobs import Job
from service.store.pool import Connection, Pool, transaction

log = structlog.get_logger()

FEW = 10
"""What names no more than so many is no bulk work: somebody looked at each of them."""
PATIENCE = timedelta(hours=24)
"""How long a job waits for a second person."""
HOURS = int(PATIENCE.total_seconds()) // 3600
AT_ONCE = 100
ON_THE_COMMAND_LINE = "cli:"
SYSTEM = "orderhook"

OVERDUE = f"Nobody approved it within {HOURS} hours."
OWN = "You asked for this job yourself: somebody else must approve it."


async def approve(pool: Pool, job_id: UUID, *, actor: str) -> Body:
    """Put a job in line that somebody else asked for."""
    async with transaction(pool) as tx:
        job = await _locked(tx, job_id)
        if job.state != "awaiting_approval":
            raise Declined(f"This job is {job.state}: there is nothing to approve.")
        if is_own(job.actor, actor):
            raise Declined(OWN)
        approved = await jobs.approve(tx, job, actor=actor)
        await _record(tx, job, actor, "job.approve", asked_by=job.actor)
    return body(approved)


async def cancel(pool: Pool, job_id: UUID, *, actor: str) -> Body:
    """End a job that goes on, or waits; what it did so far stays done."""
    async with transaction(pool) as tx:
        job = await _locked(tx, job_id)
        if job.finished_at is not None:
            raise Declined(f"This job is {job.state} already: there is nothing to cancel.")
        ended = await jobs.cancel(tx, job, why=f"Cancelled by {actor}.")
        await _record(tx, job, actor, "job.cancel", done=job.done, state=job.state)
    return body(ended)


async def end_overdue(pool: Pool) -> None:
    """End jobs that waited too long: whoever asked for them may have forgotten."""
    async with transaction(pool) as tx:
        for job in await jobs.overdue(tx, after=PATIENCE, limit=AT_ONCE):
            await jobs.cancel(tx, job, why=OVERDUE)
            await _record(tx, job, SYSTEM, "job.cancel", done=0, state=job.state)
            log.info("job_not_approved", job=str(job.id), kind=job.kind)


def is_own(job_actor: str, actor: str) -> bool:
    """Whether one person is both; what stands before a name says only by which door they came."""
    return _person(job_actor) == _person(actor)


async def _locked(tx: Connection, job_id: UUID) -> Job:
    job = await jobs.lock(tx, job_id)
    if job is None:
        raise NotFound(UNKNOWN)
    return job


async def _record(tx: Connection, job: Job, actor: str, action: str, **detail: object) -> None:
    await actions.record(
        tx, actor, action, target=f"job/{job.id}", detail={"kind": job.kind, **detail}
    )


def _person(actor: str) -> str:
    return actor.removeprefix(ON_THE_COMMAND_LINE)
