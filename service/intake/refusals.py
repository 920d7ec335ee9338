"""Refused requests come in; what may be remembered of them waits here, bounded, to be stored."""

import asyncio
import re
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from hashlib import sha256

import structlog

from service import supervisor
from service.domain.errors import DataRejected, StoreUnavailable
from service.domain.keys import clean_text
from service.intake.provider import Forged, RawRequest
from service.store import refusals
from service.store.ids import new_id
from service.store.pool import Pool
from service.store.refusals import KEPT, Refusal
from service.supervisor import pause

log = structlog.get_logger()

UNKNOWN = "unknown"
"""Takes what was sent to names that no source has."""
FLUSH_EVERY = 1.0
MOST_SOURCES = 200
MOST_HEADERS = 64
LONGEST_REASON = 1024
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]{1,128}")


class Refusals:
    """The last refusals of each source since the last flush; a flood only replaces its own."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Refusal]] = {}

    def note(
        self,
        source: str,
        request: RawRequest,
        judged: Forged,
        *,
        at: datetime,
    ) -> None:
        """Remember why, from whom, and the names of headers; no value and no body is kept."""
        if source not in self._waiting and len(self._waiting) >= MOST_SOURCES:
            return
        refusal = Refusal(
            id=new_id(),
            source=source,
            at=at,
            reason=_clean(judged.reason),
            peer=clean_text(request.peer) or "",
            method=request.method[:16],
            header_names=_names(request),
            body_sha256=sha256(request.body).digest(),
            body_bytes=len(request.body),
            skew=judged.skew,
            cause=judged.cause,
        )
        self._waiting.setdefault(source, deque(maxlen=KEPT)).append(refusal)

    def drain(self) -> list[Refusal]:
        """Take all that wait, the oldest first."""
        taken = [refusal for waiting in self._waiting.values() for refusal in waiting]
        self._waiting.clear()
        return sorted(taken, key=lambda refusal: refusal.id)

    def restore(self, refused: Sequence[Refusal]) -> None:
        """Take back what could not be stored; what came since is newer."""
        for refusal in reversed(refused):
            waiting = self._waiting.setdefault(refusal.source, deque(maxlen=KEPT))
            if len(waiting) < KEPT:
                waiting.appendleft(refusal)


def keeper(pool: Pool, recorder: Refusals) -> Callable[[asyncio.Event], Awaitable[None]]:
    """The task that writes refusals down until stopped."""

    async def run(stop: asyncio.Event) -> None:
        while True:
            supervisor.beat()
            ending = stop.is_set()
            await _flush(pool, recorder)
            if ending:
                return
            await pause(stop, FLUSH_EVERY)

    return run


async def _flush(pool: Pool, recorder: Refusals) -> None:
    waiting = recorder.drain()
    try:
        if waiting:
            await refusals.add(pool, waiting)
    except StoreUnavailable:
        recorder.restore(waiting)
    except DataRejected as error:
        log.warning("refusals_not_kept", refusals=len(waiting), reason=str(error))


def _names(request: RawRequest) -> list[str]:
    """Each header name once, in wire order; only what can be the name of one."""
    names = dict.fromkeys(name for name, _ in request.headers if HEADER_NAME.fullmatch(name))
    return list(names)[:MOST_HEADERS]


def _clean(reason: str) -> str:
    printable = "".join(char if char.isprintable() else "?" for char in reason[:LONGEST_REASON])
    return printable.encode("utf-8", "replace").decode()
