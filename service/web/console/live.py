"""Live pages: marks in the tables go in, the names of what changed go out to every open page.

A page that wants to be live says once, around all that changes on it:

    <div sse-connect="{{ at('live') }}"> … </div>

and on each part inside that changes, whose address gives the same part when htmx asks for it
(`showing.live`), so that language and role stay those of whoever looks:

    <section id="queues" hx-get="{{ whole_path }}" hx-trigger="sse:dead" hx-swap="outerHTML">

The names: `now` (figures of the first page), `dead` (dead letters came or went), `jobs` (work that
somebody asked for gets on), `orders` (an order moved on, or its CRM was told). No data is sent, and
a name comes at most once in the seconds of `PACE`. Links and fields in such a part want an id, by
which the keyboard's place is found again. Hidden pages do not listen (console.js); without
JavaScript a page has `<noscript><meta http-equiv="refresh" content="15"></noscript>` in its head.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from service import supervisor
from service.domain.errors import StoreUnavailable
from service.ops.kept import either
from service.ops.present import Present
from service.store import marks
from service.store.pool import Pool
from service.supervisor import Run, pause
from service.web.auth import Role
from service.web.console import viewers
from service.web.console.routes import Console, Route
from service.web.console.signals import NAMES, Signals
from service.web.gate import COMMON_HEADERS
from service.web.problems import Refused

log = structlog.get_logger()

EVERY = 2.0
"""Seconds between two looks at the marks, while anybody listens."""
PACE: Mapping[str, float] = {"now": 2.0, "jobs": 2.0, "dead": 4.0, "orders": 6.0}
MOVES: Mapping[str, tuple[str, ...]] = {
    "dead": ("letters", "open_letters", "actions"),
    "jobs": ("running", "job"),
    "orders": ("subjects", "transitions", "attempts"),
}
"""Which marks each name is about; `now` is about all of them."""
HEARTBEAT = 15.0
RECHECK = 60.0
WRITE_WITHIN = 10.0
RECONNECT = b"retry: 3000\n\n"
FULL = "Too many pages are open on this process; this one shows what is new when it is opened anew."
HEADERS = {
    **COMMON_HEADERS,
    "Content-Type": "text/event-stream; charset=utf-8",
    "X-Accel-Buffering": "no",
}


@dataclass(frozen=True, slots=True)
class Live:
    console: Console

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Until the page is closed, its session ends, or this process does."""
        signals = self.console.signals
        listener = signals.join(request.headers.get("Last-Event-ID", "")[:64])
        if listener is None:
            raise Refused(503, FULL, headers={"Retry-After": "60"})
        answer = web.StreamResponse(headers=HEADERS)
        clock = asyncio.get_running_loop().time
        checked = clock()
        try:
            await answer.prepare(request)
            await _write(answer, RECONNECT)
            while _there(request):
                names = await listener.news(HEARTBEAT)
                if signals.over:
                    break
                if ended := clock() - checked >= RECHECK:
                    checked = clock()
                    ended = not await self._signed_in(request)
                # Once it has ended, each part asks again and is sent to where one signs in.
                await _write(answer, _events(NAMES if ended else names, signals.place))
                if ended:
                    break
        except (OSError, TimeoutError):
            _hang_up(request)
        finally:
            signals.leave(listener)
        return answer

    async def _signed_in(self, request: web.Request) -> bool:
        """Listening does not prolong a session; while PostgreSQL is away nobody is sent off."""
        try:
            return await viewers.stands(request, self.console.pool)
        except StoreUnavailable:
            return True


def routes(console: Console) -> tuple[Route, ...]:
    return (Route("GET", "/live", Role.VIEWER, Live(console).stream),)


def keeper(pool: Pool, present: Present, signals: Signals) -> Run:
    """Look at the marks while anybody listens, and tell what moved."""

    async def run(stop: asyncio.Event) -> None:
        watch = Watch()
        while not stop.is_set():
            if not signals.anybody.is_set():
                watch = Watch()
                await either(signals.anybody, stop)
                continue
            supervisor.beat()
            try:
                seen = dict(await marks.read(pool))
            except StoreUnavailable as error:
                log.info("marks_not_read", reason=str(error))
                seen = {}
            seen["present"] = f"{present.look.number} {present.account.number}"
            signals.tell(watch.look(seen, asyncio.get_running_loop().time()))
            await pause(stop, EVERY)

    return run


class Watch:
    """Marks as they were; what moved too soon after the last time is told when its time comes."""

    def __init__(self) -> None:
        self._before: Mapping[str, str | None] | None = None
        self._told: dict[str, float] = {}
        self._held: set[str] = set()

    def look(self, seen: Mapping[str, str | None], now: float) -> list[str]:
        before, self._before = self._before, {**(self._before or {}), **seen}
        if before is not None:
            moved = {mark for mark, value in seen.items() if before.get(mark) != value}
            self._held |= {name for name, of in MOVES.items() if not moved.isdisjoint(of)}
            self._held |= {"now"} if moved else set()
        due = [name for name in NAMES if name in self._held and self._may(name, now)]
        self._told |= dict.fromkeys(due, now)
        self._held -= set(due)
        return due

    def _may(self, name: str, now: float) -> bool:
        return now - self._told.get(name, float("-inf")) >= PACE[name] - EVERY / 2


def _events(names: Sequence[str], place: str) -> bytes:
    """One message a name, all with the place; a comment when there is nothing to say."""
    if not names:
        return b": still here\n\n"
    return "".join(f"event: {name}\nid: {place}\ndata: new\n\n" for name in names).encode()


async def _write(answer: web.StreamResponse, content: bytes) -> None:
    """Whoever does not read is let go."""
    async with asyncio.timeout(WRITE_WITHIN):
        await answer.write(content)


def _there(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _hang_up(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.abort()
