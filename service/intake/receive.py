"""A raw request comes in; the answer goes out only after judgement and a durable commit."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from math import ceil
from types import MappingProxyType
from typing import Literal, assert_never
from uuid import UUID

import orjson
import structlog
from prometheus_client import Counter as Metric

from service import telemetry, tracing
from service.domain.errors import StoreUnavailable
from service.domain.events import Event
from service.domain.refusals import Cause
from service.intake import keys
from service.intake.admission import Bounds, Rates, is_allowed
from service.intake.captures import Captures
from service.intake.group_commit import SPOOL_BUDGET, GroupCommit, Receipt
from service.intake.keys import KeyServers
from service.intake.provider import (
    Forged,
    Genuine,
    Judgement,
    Provider,
    RawRequest,
    Reply,
    Undecided,
)
from service.intake.refusals import UNKNOWN, Refusals
from service.intake.spool.drain import Brought
from service.intake.spool.spool import Spool
from service.intake.verification import signing
from service.settings import Source
from service.store.acceptance import Arrival
from service.store.ids import new_id

log = structlog.get_logger()

PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
RETRY_AFTER = 5
"""Seconds we ask a sender to wait when its request could not be stored."""
ANYONE = Bounds()
NO_MARK: Mapping[str, str] = MappingProxyType({})


Outcome = Literal["accepted", "captured", "duplicate", "handshake", "refused", "unavailable"]


@cache
def _requests(source: str, outcome: Outcome) -> Metric:
    """To look a series up takes longer than to count in it."""
    return telemetry.REQUESTS.labels(source, outcome)


@dataclass(frozen=True, slots=True)
class Sender:
    """A configured source with the provider built for it."""

    source: Source
    provider: Provider
    bounds: Bounds = field(init=False)

    def __post_init__(self) -> None:
        said = self.source
        bounds = Bounds(said.max_body, said.concurrency, said.chunked)
        object.__setattr__(self, "bounds", bounds)


class Intake:
    """Everything between raw bytes and a durable commit; `senders` may be swapped on reload."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        commits: GroupCommit,
        *,
        clock: Callable[[], datetime],
        tallies: "Tallies",
        servers: KeyServers | None = None,
        captures: Captures | None = None,
    ) -> None:
        self.senders = senders
        self._commits = commits
        self._clock = clock
        self._tallies = tallies
        self._servers = servers
        self._captures = captures
        self.spool: Spool | None = None
        """Where requests may go that PostgreSQL cannot take now."""
        self._rates = Rates()
        self.refusals = Refusals()

    def bounds(self, source: str) -> Bounds:
        """What this source may send; unknown names get the defaults."""
        sender = self.senders.get(source)
        return ANYONE if sender is None else sender.bounds

    async def receive(self, source: str, request: RawRequest) -> Reply:
        """Greet, or capture, or judge, parse, commit, answer."""
        sender = self.senders.get(source)
        if greeting := self._greet(sender, request):
            return greeting
        if sender and sender.source.mode == "capture" and _is_near(sender, request):
            return await self._capture(sender, request)
        return await self._decide(source, sender, request)

    async def _decide(self, source: str, sender: Sender | None, request: RawRequest) -> Reply:
        now = self._clock()
        judged = await self._judge(sender, request, now)
        match judged:
            case Genuine() if sender:
                wait = self._rates.wait(sender.source.name, sender.source.rate, now)
                if wait:
                    return self._put_off(source, "the rate of the source", seconds=ceil(wait))
                return await self._accept(sender, request)
            case Forged() if sender:
                return self._refuse(sender, request, judged)
            case Genuine() | Forged():
                return self._refuse(None, request, _nowhere(source))
            case Undecided(reason=reason, retry_after=after):
                return self._put_off(source, reason, seconds=max(1, int(after.total_seconds())))
            case _:
                assert_never(judged)

    def _greet(self, sender: Sender | None, request: RawRequest) -> Reply | None:
        """Answer what is no webhook: the test of an address, or a method that carries none."""
        known = sender if sender and _is_near(sender, request) else None
        if known and (greeting := known.provider.handshake(request)):
            _requests(known.source.name, "handshake").inc()
            return greeting
        if request.method == "POST":
            return None
        return problem(405, "Method Not Allowed", "Use POST here.", headers={"Allow": "POST"})

    async def _judge(self, sender: Sender | None, request: RawRequest, now: datetime) -> Judgement:
        """Ask the provider; a stranger's request costs as much as a wrong signature."""
        if sender is None:
            return signing.decoy(request, now=now)
        if not _is_near(sender, request):
            signing.decoy(request, now=now)
            why = f"The address {request.peer} is not in allow_from."
            return Forged(why, cause=Cause.WRONG_ADDRESS)
        return await keys.judge(
            sender.provider, request, source=sender.source, now=now, servers=self._servers
        )

    async def _capture(self, sender: Sender, request: RawRequest) -> Reply:
        """Store it as it came and answer as if it were accepted; the ledger never hears of it."""
        name = sender.source.name
        wait = self._rates.wait(name, sender.source.rate, self._clock())
        if wait:
            return self._put_off(name, "the rate of the source", seconds=ceil(wait))
        try:
            if self._captures is None:
                raise StoreUnavailable("This process stores no captures.")  # noqa: TRY301
            await self._captures.keep(name, request)
        except StoreUnavailable as error:
            return self._put_off(name, str(error), seconds=RETRY_AFTER)
        _requests(name, "captured").inc()
        demanded = sender.provider.acknowledge(request)
        return demanded or _counted(request.id or new_id(), Receipt(0, 0))

    async def _accept(self, sender: Sender, request: RawRequest) -> Reply:
        request = sender.provider.redact(request)
        said = {"orderhook.source": sender.source.name}
        began = time.monotonic()
        with tracing.step("accept", attributes=said) as span:
            arrival = _arrival(sender, request)
            try:
                receipt = await self._made_durable(sender, arrival, request)
            except StoreUnavailable as error:
                span.fail("unavailable")
                return self._put_off(arrival.source, str(error), seconds=RETRY_AFTER)
        telemetry.ACCEPT_SECONDS.observe(time.monotonic() - began)
        return self._acknowledge(arrival, receipt, sender.provider.acknowledge(request))

    async def _made_durable(self, sender: Sender, arrival: Arrival, request: RawRequest) -> Receipt:
        """In PostgreSQL; or in the spool, while PostgreSQL is away and the source allows it."""
        if self.spool is None or sender.source.durability == "strict":
            return await self._commits.submit(arrival)
        try:
            return await self._commits.submit(arrival, within=SPOOL_BUDGET)
        except StoreUnavailable as error:
            log.debug("request_spooled", request_id=str(arrival.id), reason=str(error))
            await self.spool.keep(arrival.source, replace(_bare(request), id=arrival.id))
            telemetry.SPOOLED.labels(arrival.source).inc()
            return Receipt(len(arrival.events), 0)

    @property
    def can_spool(self) -> bool:
        """Whether a request may be answered well though PostgreSQL is away."""
        some = any(sender.source.durability == "auto" for sender in self.senders.values())
        return some and self.spool is not None and self.spool.has_room

    async def bring(self, source: str, request: RawRequest) -> Brought:
        """Store a request out of the spool under the name it was answered with."""
        sender = self.senders.get(source)
        if sender is None:
            return Brought.HOMELESS
        try:
            await self._commits.submit(_arrival(sender, request))
        except StoreUnavailable:
            return Brought.LATER
        return Brought.STORED

    def _acknowledge(self, arrival: Arrival, receipt: Receipt, demanded: Reply | None) -> Reply:
        duplicate = 0 < receipt.events == receipt.duplicates
        outcome: Outcome = "duplicate" if duplicate else "accepted"
        _requests(arrival.source, outcome).inc()
        mark = {"Orderhook-Duplicate": "true"} if duplicate else {}
        if demanded is not None:
            return replace(demanded, headers={**demanded.headers, **mark})
        return _counted(arrival.id, receipt, mark)

    def _refuse(self, sender: Sender | None, request: RawRequest, judged: Forged) -> Reply:
        source = sender.source.name if sender else UNKNOWN
        status = sender.provider.refusal if sender else 401
        _requests(source, "refused").inc()
        self._tallies.refused[source] += 1
        self.refusals.note(source, request, judged, at=self._clock())
        log.info("request_refused", source=source, reason=judged.reason)
        return problem(status, "Not accepted", "The request is not signed by a known sender.")

    def _put_off(self, source: str, reason: str, *, seconds: int) -> Reply:
        _requests(source, "unavailable").inc()
        self._tallies.unavailable[source] += 1
        log.warning("request_put_off", source=source, reason=reason)
        return problem(
            503,
            "Try again later",
            "The request could not be stored or judged now; it was not accepted.",
            headers={"Retry-After": str(seconds)},
        )


@dataclass(slots=True)
class Tallies:
    """Requests that leave no row, counted in memory until the next flush."""

    refused: Counter[str] = field(default_factory=Counter)
    unavailable: Counter[str] = field(default_factory=Counter)

    def drain(self) -> dict[str, tuple[int, int]]:
        """The (refused, unavailable) counts since the last drain, by source."""
        names = sorted({*self.refused, *self.unavailable})
        counts = {name: (self.refused[name], self.unavailable[name]) for name in names}
        self.refused.clear()
        self.unavailable.clear()
        return counts

    def restore(self, counts: Mapping[str, tuple[int, int]]) -> None:
        """Take back counts that could not be stored."""
        for name, (refused, unavailable) in counts.items():
            self.refused[name] += refused
            self.unavailable[name] += unavailable


def _counted(request_id: UUID, receipt: Receipt, mark: Mapping[str, str] = NO_MARK) -> Reply:
    """Say what became of a request where its sender demands no other answer."""
    body = {
        "request_id": str(request_id),
        "events": receipt.events,
        "duplicates": receipt.duplicates,
    }
    return Reply(202, orjson.dumps(body), {"Content-Type": "application/json", **mark})


def _nowhere(name: str) -> Forged:
    why = f"There is no source {name}." if name else "There is no source named in the path."
    return Forged(why, cause=Cause.UNKNOWN_SOURCE)


def _is_near(sender: Sender, request: RawRequest) -> bool:
    return is_allowed(request.peer, sender.source.allow_from)


def _arrival(sender: Sender, request: RawRequest) -> Arrival:
    name = sender.source.name
    statements = sender.provider.parse(request)
    return Arrival(
        id=request.id or new_id(),
        source=name,
        received_at=request.received_at,
        peer=request.peer,
        method=request.method,
        path=request.path,
        query=request.query,
        headers=_kept(request),
        body=request.body,
        events=[Event(new_id(), name, said, request.received_at) for said in statements],
        trace=tracing.current(),
    )


def problem(
    status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error as application/problem+json (RFC 9457)."""
    body = orjson.dumps({"title": title, "status": status, "detail": detail})
    return Reply(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


def _bare(request: RawRequest) -> RawRequest:
    """What the spool may hold of a request: no credential."""
    safe = [(name, value) for name, value in request.headers if name not in PRIVATE_HEADERS]
    return replace(request, headers=safe)


def _kept(request: RawRequest) -> dict[str, str]:
    """The headers worth storing: none that carries a credential, none that is not clean text.

    One that was sent twice is read as absent now, so a replay must not find it either.
    """
    kept = {
        name: value
        for name, value in request.headers
        if name not in PRIVATE_HEADERS and value.isascii() and value.isprintable()
    }
    names = [name for name, _ in request.headers]
    if len(set(names)) < len(names):
        copies = Counter(names)
        return {name: value for name, value in kept.items() if copies[name] == 1}
    return kept
