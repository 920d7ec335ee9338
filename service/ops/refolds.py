"""The configuration changed: which subjects comes in, a job that folds them anew goes out."""

from collections.abc import Callable
from hashlib import sha256

import orjson

from service.domain import law
from service.domain.errors import Declined, Misnamed, OrderhookError
from service.ops.decisions import Hand, unconfigured
from service.ops.jobs import Step, Stride
from service.ops.lookups import Body
from service.store import actions, jobs, refolds, subjects
from service.store.jobs import Job
from service.store.pool import Connection, transaction
from service.worker.refold import refold
from service.worker.rules import Rules

USUAL_RATE = 200
MOST_AT_ONCE = 25
"""Subjects of one stride: all their events are loaded, and they stay locked until it ends."""


class Stale(OrderhookError):
    """The configuration here is another one than where the refold was asked for."""


async def place(
    hand: Hand,
    lifecycle: str | None,
    *,
    rate: int,
    dry_run: bool = False,
    mine: bool = False,
    two_people: bool = False,
) -> tuple[Job | None, Body]:
    """Count the subjects, and unless it is a dry run, put a job in line.

    With `mine` the caller carries it; else it waits for a process that runs jobs. With
    `two_people` it waits until another person approves it.
    """
    async with transaction(hand.pool) as tx:
        found = await refolds.extent(
            tx,
            lifecycle,
            present={name: hand.rules.fingerprint(name) for name in hand.rules.lifecycles},
            law=law.LAW,
        )
        _expect_configured(hand.rules, lifecycle, found.subjects)
        asked = {
            "lifecycle": lifecycle,
            "last": found.last,
            "reading": fingerprint(hand.rules),
        }
        job = (
            None
            if dry_run
            else await jobs.add(
                tx,
                "refold",
                actor=hand.actor,
                request=asked,
                rate=rate,
                matched=found.subjects,
                mine=mine,
                awaits=two_people,
            )
        )
        if job is not None:
            await _record(tx, job)
    counted = {"matched": found.subjects, "behind": found.behind}
    return job, {"job": str(job.id) if job else None, **counted}


def _expect_configured(rules: Rules, lifecycle: str | None, stored: int) -> None:
    if lifecycle is None or lifecycle in rules.lifecycles:
        return
    if stored:
        raise Declined(unconfigured(lifecycle, f"{stored:,} subjects are stored"))
    known = ", ".join(rules.lifecycles)
    raise Misnamed(f"There is no lifecycle {lifecycle!r}; there are {known}.")


async def _record(tx: Connection, job: Job) -> None:
    detail = {"lifecycle": job.request["lifecycle"], "matched": job.matched, "rate": job.rate}
    await actions.record(tx, job.actor, "refold", target=f"job/{job.id}", detail=detail)


def step(rules: Callable[[], Rules]) -> Step:
    """The strides of refold jobs; `rules` tells the configured ones of this moment."""

    async def stride(tx: Connection, job: Job, limit: int) -> Stride:
        known = rules()
        if job.request["reading"] != fingerprint(known):
            raise Stale(
                "This process folds by another configuration than the one that asked for the "
                "refold: reload every process (SIGHUP), then refold again."
            )
        return await _stride(tx, job, known, min(limit, MOST_AT_ONCE))

    return stride


async def _stride(tx: Connection, job: Job, rules: Rules, limit: int) -> Stride:
    asked, after = job.request, int(job.cursor or 0)
    found = await refolds.page(tx, asked["lifecycle"], after=after, last=asked["last"], limit=limit)
    if not found:
        return Stride(job.cursor, done=0, over=True)
    rows = await subjects.lock_present(tx, found.values())
    ours = [
        row
        for name, row in sorted(rows.items())
        if row.law <= law.LAW and name.lifecycle in rules.lifecycles
    ]
    await refold(tx, ours, rules=rules, cause=f"{job.actor} asked for a refold")
    return Stride(str(max(found)), done=len(ours), skipped=len(found) - len(ours))


def fingerprint(rules: Rules) -> str:
    """Name the lifecycles and routes that subjects are folded by."""
    said = {
        "lifecycles": {name: rules.fingerprint(name) for name in rules.lifecycles},
        "routes": [
            [
                *(route.sources, route.events, route.destinations, route.priority),
                route.when.expression if route.when else None,
            ]
            for route in rules.routes
        ],
    }
    packed = orjson.dumps(said, option=orjson.OPT_SORT_KEYS)
    return sha256(packed).hexdigest()[:16]
