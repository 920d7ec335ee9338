"""A subject comes in; what destinations really show goes out, and what drifted is owed again."""

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import structlog

from service.domain.errors import StoreUnavailable
from service.domain.events import Subject
from service.domain.lifecycle import Lifecycle
from service.domain.masking import USUALLY, Mask
from service.domain.routing import PRIORITIES
from service.ops import dossiers, mending
from service.ops.lookups import Body
from service.store import actions, destinations, sightings
from service.store.pool import Connection, Pool, transaction
from service.store.sightings import Standing
from service.worker.readback import Adapter, Reader, Sight

log = structlog.get_logger()

WITHIN = 15.0
"""Seconds for all destinations together."""
PRIORITY = PRIORITIES["normal"]

LEFT: Mapping[str, str] = {
    "pending": " What makes it right is on its way.",
    "no_record": " It is written once the record is there.",
    "dead": " Its dead letter says what stands in the way.",
    "held": " It is held: `orderhook orders push` decides.",
    "shadow": " It is in shadow: nothing is written.",
    "synced": "",
}
"""Why something that differs was not taken up."""

Adapters = Callable[[], Mapping[str, Adapter]]


@dataclass(frozen=True, slots=True)
class Look:
    """Who wants to know, by which adapters, and whether what drifted is owed again."""

    pool: Pool
    adapters: Mapping[str, Adapter] = field(repr=False)
    lifecycles: Mapping[str, Lifecycle]
    actor: str
    repair: bool = True
    within: float = WITHIN
    mask: Mask = USUALLY


async def read(look: Look, name: Subject) -> Body | None:
    """Answer what GET /subjects/{lifecycle}/{ref}?refresh=true answers; None as for the page."""
    page = await dossiers.read(look.pool, name, lifecycles=look.lifecycles, mask=look.mask)
    if page is None:
        return None
    present = Subject(page["lifecycle"], page["scope"], page["ref"])
    async with transaction(look.pool, readonly=True) as tx:
        standings = await sightings.of_subject(tx, present)
    until = time.monotonic() + look.within
    sights = await asyncio.gather(*(_seen(look, each, until=until) for each in standings))
    repairs = {sight.standing.destination: await _mended(look, sight) for sight in sights}
    if any(repairs.values()):
        mended = dossiers.read(look.pool, present, lifecycles=look.lifecycles, mask=look.mask)
        page = await mended or page
    return {
        **page,
        "drift": [item for sight in sights for item in _drift(sight, look.mask)],
        "readings": [_reading(sight, repairs[sight.standing.destination]) for sight in sights],
    }


async def _seen(look: Look, standing: Standing, *, until: float) -> Sight:
    """Read one destination back, if it may be called."""
    adapter = look.adapters.get(standing.destination)
    if adapter is None:
        detail = f"{standing.destination} is configured no more, or not in this process."
        return Sight(standing, "unread", detail)
    if (why := await closed(look.pool, standing.destination)) is not None:
        return Sight(standing, "unread", why)
    until = min(until, time.monotonic() + adapter.rule.timeout.total_seconds())
    [sight] = await Reader(adapter, until=until, live=True).look([standing])
    return sight


async def closed(pool: Pool, name: str) -> str | None:
    """Why a destination must not be called now."""
    view = await destinations.look(pool, name)
    if view.paused:
        return f"{name} is paused: `orderhook destinations list` says why."
    if view.breaker != "closed":
        return f"{name} fails; it is probed every few seconds and called again by itself."
    return None


async def _mended(look: Look, sight: Sight) -> mending.Repair | None:
    """Write down what was seen; whoever may not repair leaves the exchange only."""
    destination = sight.standing.destination
    adapter = look.adapters.get(destination)
    if adapter is None or not (sight.answers or look.repair):
        return None
    try:
        async with transaction(look.pool) as tx:
            await mending.record(tx, [sight], destination=destination)
            if not look.repair:
                return None
            done = await mending.mend(tx, [sight], adapter.rule, priority=PRIORITY)
            made = done.get(sight.standing.subject_id)
            if made is not None:
                target = str(sight.standing.subject)
                detail = {"destination": destination, "repair": made, "said": mending.said(sight)}
                await actions.record(
                    tx, look.actor, "subject.refresh", target=target, detail=detail
                )
    except StoreUnavailable as error:
        log.warning("refresh_not_recorded", destination=destination, error=str(error))
        return None
    return made


async def _tell(tx: Connection, actor: str, sight: Sight, made: mending.Repair) -> None:
    standing = sight.standing
    detail = {"destination": standing.destination, "repair": made, "said": mending.said(sight)}
    await actions.record(tx, actor, "subject.refresh", target=str(standing.subject), detail=detail)


def _drift(sight: Sight, mask: Mask) -> list[Body]:
    if sight.drift is None:
        return []
    return [
        {
            "destination": sight.standing.destination,
            "field": name,
            "ours": mask.field(name, each["ours"]),
            "theirs": mask.field(name, each["theirs"]),
            "modified_at": sight.record.modified_at if sight.record else None,
            "by_us": sight.record.by_us if sight.record else None,
        }
        for name, each in sorted(sight.drift.differences.items())
    ]


def _reading(sight: Sight, made: mending.Repair | None) -> Body:
    return {
        "destination": sight.standing.destination,
        "outcome": sight.outcome,
        "repair": made,
        "sentence": _sentence(sight, made),
    }


def _sentence(sight: Sight, made: mending.Repair | None) -> str:
    said = mending.said(sight)
    match made:
        case "owed":
            return f"{said} It is owed again, due now, and read before it is written."
        case "held":
            return f"{said} A person changed it there: nothing is written until somebody decides."
        case "settled":
            return f"{said} What held it back is over."
        case _:
            return f"{said}{_why_left(sight)}"


def _why_left(sight: Sight) -> str:
    standing = sight.standing
    if sight.outcome not in ("drifted", "missing"):
        return ""
    if standing.leased:
        return LEFT["pending"]
    return LEFT["shadow" if standing.held_for == "shadow" else standing.sync]
