"""A raw request comes in; the answer goes out only after judgement and a durable commit."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import assert_never

import orjson
import structlog

from service import telemetry
from service.domain.errors import StoreUnavailable
from service.domain.events import Event
from service.intake.group_commit import GroupCommit, Receipt
from service.intake.providers import signing
from service.intake.providers.base import Forged, Genuine, Provider, RawRequest, Undecided
from service.settings import Source
from service.store.acceptance import Arrival
from service.store.ids import new_id

log = structlog.get_logger()

PRIVATE_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
RETRY_AFTER = 5
"""Seconds we ask a sender to wait when its request could not be stored."""
DEFAULT_MAX_BODY = 256 * 1024


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender reads."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sender:
    """A configured source with the provider built for it."""

    source: Source
    provider: Provider


class Intake:
    """Everything between raw bytes and a durable commit; `senders` may be swapped on reload."""

    def __init__(
        self,
        senders: Mapping[str, Sender],
        commits: GroupCommit,
        *,
        clock: Callable[[], datetime],
        tallies: "Tallies",
    ) -> None:
        self.senders = senders
        self._commits = commits
        self._clock = clock
        self._tallies = tallies

    def max_body(self, source: str) -> int:
        """How many bytes a body of this source may have; unknown names get the default."""
        sender = self.senders.get(source)
        return sender.source.max_body if sender else DEFAULT_MAX_BODY

    async def receive(self, source: str, request: RawRequest) -> Reply:
        """Judge, parse, commit, answer."""
        sender = self.senders.get(source)
        now = self._clock()
        judged = (
            sender.provider.verify(request, now=now) if sender else signing.decoy(request, now=now)
        )
        match judged:
            case Genuine() if sender:
                return await self._accept(sender, request)
            case Genuine():
                return self._refuse("unknown", "no such source")
            case Forged(reason=reason):
                return self._refuse(source if sender else "unknown", reason)
            case Undecided(reason=reason, retry_after=after):
                return self._put_off(source, reason, seconds=max(1, int(after.total_seconds())))
            case _:
                assert_never(judged)

    async def _accept(self, sender: Sender, request: RawRequest) -> Reply:
        name = sender.source.name
        statements = sender.provider.parse(request)
        arrival = Arrival(
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
        )
        try:
            receipt = await self._commits.submit(arrival)
        except StoreUnavailable as error:
            return self._put_off(name, str(error), seconds=RETRY_AFTER)
        return self._acknowledge(arrival, receipt)

    def _acknowledge(self, arrival: Arrival, receipt: Receipt) -> Reply:
        duplicate = 0 < receipt.events == receipt.duplicates
        outcome = "duplicate" if duplicate else "accepted"
        telemetry.REQUESTS.labels(arrival.source, outcome).inc()
        body = {
            "request_id": str(arrival.id),
            "events": receipt.events,
            "duplicates": receipt.duplicates,
        }
        headers = {"Content-Type": "application/json"}
        if duplicate:
            headers["Orderhook-Duplicate"] = "true"
        return Reply(202, orjson.dumps(body), headers)

    def _refuse(self, source: str, reason: str) -> Reply:
        telemetry.REQUESTS.labels(source, "refused").inc()
        self._tallies.refused[source] += 1
        log.info("request_refused", source=source, reason=reason)
        return problem(401, "Not accepted", "The request is not signed by a known sender.")

    def _put_off(self, source: str, reason: str, *, seconds: int) -> Reply:
        telemetry.REQUESTS.labels(source, "unavailable").inc()
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


def problem(
    status: int, title: str, detail: str, *, headers: Mapping[str, str] | None = None
) -> Reply:
    """An error as application/problem+json (RFC 9457)."""
    body = orjson.dumps({"title": title, "status": status, "detail": detail})
    return Reply(status, body, {"Content-Type": "application/problem+json", **(headers or {})})


def _kept(request: RawRequest) -> dict[str, str]:
    """The headers worth storing: none that carries a credential, none that is not clean text."""
    return {
        name: value
        for name, value in request.headers
        if name not in PRIVATE_HEADERS and value.isascii() and value.isprintable()
    }
