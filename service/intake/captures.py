"""Requests of sources in capture mode come in; they are stored as they came, believed by nobody."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from service.domain.errors import StoreUnavailable
from service.domain.refusals import Cause
from service.intake.preset import Declared
from service.intake.provider import NO_KEYS, Forged, Guard, Keys, RawRequest
from service.intake.providers.anyone import generic
from service.settings import Source
from service.store import captures
from service.store.captures import Capture
from service.store.pool import Pool
from service.store.seals import PLAIN, Seals

WAITING = 32
"""Captures that may wait for their turn; with more a sender is told to come back."""
LONGEST = 8192


class Captures:
    """Stores captures one at a time, so that a flood of them leaves the pool to live sources."""

    def __init__(self, pool: Pool, sealing: Seals = PLAIN) -> None:
        self._pool = pool
        self._sealing = sealing
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def keep(self, source: str, request: RawRequest) -> None:
        """Return when it is durable; raises StoreUnavailable."""
        if self._waiting >= WAITING:
            raise StoreUnavailable(f"More than {WAITING} requests wait to be captured.")
        self._waiting += 1
        try:
            async with self._turn:
                await captures.add(self._pool, _capture(source, request), sealing=self._sealing)
        finally:
            self._waiting -= 1


def _capture(source: str, request: RawRequest) -> Capture:
    return Capture(
        source=source,
        received_at=request.received_at,
        peer=_clean(request.peer),
        method=_clean(request.method),
        path=_clean(request.path),
        query=_clean(request.query),
        headers=[(_clean(name), _clean(value)) for name, value in request.headers],
        body=request.body,
    )


def _clean(text: str) -> str:
    """Write a text so that PostgreSQL takes it, and is not asked to take much."""
    return (
        text[:LONGEST]
        .replace("\0", "\N{REPLACEMENT CHARACTER}")
        .encode("utf-8", "replace")
        .decode()
    )


@dataclass(frozen=True, slots=True)
class Nobody(Guard):
    """Believes no request: what is captured is not genuine by that."""

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Forged:
        return Forged("The source is in capture mode.", cause=Cause.MALFORMED)


@dataclass(frozen=True, slots=True)
class Nothing:
    """Reads no request: a capture is no event."""

    def read(self, request: RawRequest) -> tuple[()]:
        return ()


def capturing(source: Source) -> Declared:
    """Make the provider of a source in capture mode: only its manners are as configured."""
    return Declared(Nobody(), Nothing(), generic.manners(source))
