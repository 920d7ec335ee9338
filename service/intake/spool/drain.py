"""What a spool holds goes to PostgreSQL as soon as it answers, the oldest first, in small steps."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import StrEnum

import structlog

from service import supervisor
from service.faultpoint import faultpoint
from service.intake.provider import RawRequest
from service.intake.spool.spool import Kept, Spool
from service.supervisor import pause

log = structlog.get_logger()

STEP = 64
"""Requests brought at a time: fewer than a group commit holds, so that live ones find room."""
IDLE = 0.5
AWAY = 0.5


class Brought(StrEnum):
    """What became of a request out of the spool."""

    STORED = "stored"
    LATER = "later"
    HOMELESS = "homeless"
    """Its source is not configured any more: it stays, and is tried again after a restart."""


Bring = Callable[[str, RawRequest], Awaitable[Brought]]


class Drain:
    """Brings the requests of one spool; a crash in between brings some twice, which is harmless."""

    def __init__(self, spool: Spool, bring: Bring) -> None:
        self._spool = spool
        self._bring = bring

    async def run(self, stop: asyncio.Event) -> None:
        """Until stopped: look, bring, forget."""
        await self._spool.take_up()
        most = STEP
        while not stop.is_set():
            supervisor.beat()
            held = self._spool.total
            if held.entries == held.damaged:
                await pause(stop, IDLE)
            elif await self._step(most):
                most = STEP
            else:
                most = 1  # enough to see whether it is back
                await pause(stop, AWAY)

    async def _step(self, most: int) -> bool:
        """Bring some; False when PostgreSQL does not answer yet."""
        kept = await self._spool.oldest(most)
        fates = await asyncio.gather(*(self._bring(one.source, one.request) for one in kept))
        stored = _those(kept, fates, Brought.STORED)
        homeless = _those(kept, fates, Brought.HOMELESS)
        if stored:
            faultpoint("spool.stored")
            await self._spool.forget(stored)
            log.info("spool_drained", requests=len(stored), left=self._spool.total.entries)
        if homeless:
            log.error("spool_source_unknown", requests=len(homeless))
            await self._spool.set_aside(homeless)
        return Brought.LATER not in fates


def _those(kept: Sequence[Kept], fates: Sequence[Brought], fate: Brought) -> list[int]:
    return [one.number for one, found in zip(kept, fates, strict=True) if found is fate]
