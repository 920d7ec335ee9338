"""Public keys from the network: an address comes in, the document behind it or Undecided goes out.

Every bound is against a sender who makes us ask: how often, how much, for how many addresses.
"""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, Protocol
from urllib.parse import urlsplit

import structlog

from service import telemetry
from service.domain.refusals import Cause
from service.intake.provider import (
    Forged,
    Judgement,
    Keys,
    Provider,
    RawRequest,
    Undecided,
    Wanted,
)
from service.outbound import Answer, Missed
from service.settings import Source

log = structlog.get_logger()

FRESH = 3600.0
"""Seconds a document is used without asking again."""
STALE = 24 * 3600.0
"""Seconds a document is used while its server cannot be asked."""
NEGATIVE = 10.0
"""Seconds after a failure in which the server is left alone."""
REFRESH = 60.0
"""Seconds that must lie between two questions for a newer document."""
WITHIN = timedelta(seconds=2)
MOST = 64 * 1024
MOST_DOCUMENTS = 256
PER_MINUTE = 30
"""Questions asked for one source."""
MINUTE = 60.0
OK = 200

Ending = Literal["fetched", "refused", "away", "forbidden", "too_often"]
"""How a question to a key server ends."""


class Gets(Protocol):
    """What asks; service.outbound.Outbound does."""

    async def get(
        self, url: str, *, within: timedelta, most: int, headers: Mapping[str, str] | None = None
    ) -> Answer | Missed: ...


@dataclass(slots=True)
class Entry:
    """What is known of one address."""

    document: bytes | None = None
    fetched_at: float = 0.0
    failed_at: float | None = None
    reason: str = ""
    flight: "asyncio.Task[None] | None" = None

    def is_usable(self, now: float, within: float) -> bool:
        return self.document is not None and now - self.fetched_at < within

    def rests(self, now: float) -> float:
        """Seconds for which the server is still left alone after a failure."""
        return 0.0 if self.failed_at is None else max(0.0, self.failed_at + NEGATIVE - now)


@dataclass(slots=True)
class KeyServers:
    """The documents of all addresses, in this process alone."""

    outbound: Gets
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    rehearsing: bool = False
    """In the sandbox: a source that says where its `api` is has its keys served there, too."""
    _entries: OrderedDict[tuple[str, str], Entry] = field(default_factory=OrderedDict)
    _asked: dict[str, deque[float]] = field(default_factory=dict)

    async def known(self, wanted: Wanted, source: Source) -> bytes | Undecided:
        """Take the document that is here; else fetch it, or do with an old one."""
        entry = self._entry(wanted, source)
        if not entry.is_usable(self.clock(), FRESH) and not entry.rests(self.clock()):
            await self._fetch(entry, wanted, source)
        if entry.document is not None and entry.is_usable(self.clock(), STALE):
            return entry.document
        return self._undecided(entry.reason, entry.rests(self.clock()))

    async def newer(self, wanted: Wanted, source: Source, *, since: float) -> Keys | Undecided:
        """Take a document fetched after `since`; none where there is no newer one to have."""
        entry = self._entry(wanted, source)
        now = self.clock()
        if entry.document is not None and entry.fetched_at >= since:
            return {}
        wait = max(entry.rests(now), entry.fetched_at + REFRESH - now)
        if entry.document is not None and wait > 0 and entry.flight is None:
            return self._undecided(wanted.lacking, wait)
        await self._fetch(entry, wanted, source)
        if entry.document is not None and entry.fetched_at >= since:
            return {wanted.url: entry.document}
        return self._undecided(entry.reason, NEGATIVE)

    def _entry(self, wanted: Wanted, source: Source) -> Entry:
        """Find or make the entry; the one not used for the longest time goes."""
        # A token is one source's own, and so is what it was answered.
        place = (self._address(wanted, source), source.name if wanted.authorized else "")
        entry = self._entries.setdefault(place, Entry())
        self._entries.move_to_end(place)
        while len(self._entries) > MOST_DOCUMENTS:
            self._entries.pop(self._leaving())
        return entry

    def _address(self, wanted: Wanted, source: Source) -> str:
        """Where to ask; what the request says of it was judged before, rehearsing or not."""
        if self.rehearsing and source.api:
            return source.api.rstrip("/") + urlsplit(wanted.url).path
        return wanted.url

    def _leaving(self) -> tuple[str, str]:
        """Addresses that led nowhere leave first: whoever invents them must not evict others."""
        *older, _ = self._entries
        empty = (place for place in older if self._entries[place].document is None)
        return next(empty, older[0])

    async def _fetch(self, entry: Entry, wanted: Wanted, source: Source) -> None:
        """Ask once, for however many wait; whoever stops waiting does not stop the others."""
        if entry.flight is None:
            if not self._may_ask(source.name):
                entry.reason = "Keys were asked for too often for this source."
                _count(source, "too_often")
                return
            entry.flight = asyncio.create_task(self._ask(entry, wanted, source))
        await asyncio.shield(entry.flight)

    def _may_ask(self, source: str) -> bool:
        asked, now = self._asked.setdefault(source, deque(maxlen=PER_MINUTE)), self.clock()
        if len(asked) == PER_MINUTE and now - asked[0] < MINUTE:
            return False
        asked.append(now)
        return True

    async def _ask(self, entry: Entry, wanted: Wanted, source: Source) -> None:
        try:
            answer = await self.outbound.get(
                self._address(wanted, source),
                within=WITHIN,
                most=MOST,
                headers=_headers(wanted, source),
            )
            self._note(entry, answer, source)
        finally:
            entry.flight = None

    def _note(self, entry: Entry, answer: Answer | Missed, source: Source) -> None:
        _count(source, _ending(answer))
        if isinstance(answer, Answer) and answer.status == OK and answer.body:
            entry.document, entry.fetched_at = answer.body, self.clock()
            entry.failed_at, entry.reason = None, ""
            log.info("keys_fetched", source=source.name, bytes=len(answer.body))
            return
        entry.failed_at = self.clock()
        entry.reason = (
            answer.reason
            if isinstance(answer, Missed)
            else f"The key server answered {answer.status}."
        )
        log.warning("keys_not_fetched", source=source.name, reason=entry.reason)

    def _undecided(self, reason: str, wait: float) -> Undecided:
        why = f"The key it was signed with is not here: {reason}"
        return Undecided(why, timedelta(seconds=max(1.0, wait)))


def _ending(answer: Answer | Missed) -> Ending:
    match answer:
        case Answer(status=status, body=body):
            return "fetched" if status == OK and body else "refused"
        case Missed(forbidden=True):
            return "forbidden"
        case Missed():
            return "away"


def _count(source: Source, outcome: Ending) -> None:
    telemetry.KEY_FETCHES.labels(source.name, outcome).inc()


def _headers(wanted: Wanted, source: Source) -> dict[str, str]:
    if not wanted.authorized or source.token is None:
        return {}
    token = source.token.reveal().decode("utf-8", "replace").strip()
    return {wanted.header: token} if wanted.header else {"Authorization": f"Bearer {token}"}


async def judge(
    provider: Provider,
    request: RawRequest,
    *,
    source: Source,
    now: datetime,
    servers: KeyServers | None,
) -> Judgement:
    """Judge, with the keys it takes; what no key of the network can settle is a refusal."""
    judged = provider.verify(request, now=now)
    if not isinstance(judged, Wanted):
        return judged
    if servers is None:
        return Undecided("This process cannot ask for keys.", WITHIN)
    began = servers.clock()
    document = await servers.known(judged, source)
    if isinstance(document, Undecided):
        return document
    judged = provider.verify(request, now=now, keys={judged.url: document})
    if not isinstance(judged, Wanted):
        return judged
    newer = await servers.newer(judged, source, since=began)
    if isinstance(newer, Undecided):
        return newer
    judged = provider.verify(request, now=now, keys=newer) if newer else judged
    return _settled(judged) if isinstance(judged, Wanted) else judged


def _settled(wanted: Wanted) -> Forged | Undecided:
    """Decide without a newer document; what is no key at all proves nothing against anybody."""
    if wanted.useless:
        return Undecided(wanted.lacking, timedelta(seconds=REFRESH))
    return Forged(wanted.lacking, cause=Cause.UNKNOWN_KEY)
