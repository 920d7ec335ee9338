"""Whether a destination may be called at all: pauses and its breaker, shared by all workers."""

import random
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import assert_never

import structlog

from service import telemetry
from service.domain import breaker
from service.domain.breaker import Breaker, Position, Sign
from service.domain.errors import StoreUnavailable
from service.domain.events import Subject
from service.settings import Destination
from service.store import destinations
from service.store.destinations import Cause, View
from service.store.pool import Pool, transaction
from service.worker.crms.base import Answer, Class

log = structlog.get_logger()

LOOK_EVERY = 0.5
OURSELVES = "orderhook"
PAUSING: dict[Class, Cause] = {Class.AUTH: "auth", Class.HUMAN: "human"}

Answers = Sequence[tuple[Subject, Answer]]


class Gate:
    """One for each destination and process; `rule` may be swapped on reload.

    What the row says is read at most every half second and after own events; nothing here raises
    because PostgreSQL is away: the gate then stands as it stood.
    """

    def __init__(self, rule: Destination, *, pool: Pool) -> None:
        self.rule = rule
        self._pool = pool
        self._view = View()
        self._looked: float | None = None
        self._breaker = Breaker()
        self._probe: int | None = None
        self._probe_until = 0.0

    @property
    def shut(self) -> bool:
        """Paused, or the breaker is open, as far as is known: nothing new should be leased."""
        return self._view.paused or self._breaker.position is not Position.CLOSED

    async def leases(self, most: int) -> int:
        """How many syncs may be leased now: `most`, one while a probe is due, else none."""
        await self._look()
        if not self.shut:
            return most
        return min(most, 1) if self._probe_is_due else 0

    async def admits(self, most: int) -> int:
        """How many syncs may be called about now; ask only with work at hand.

        `most` while all is well, none while shut. One: this process has claimed the probe; it must
        be called about, and reported, or be forgone.
        """
        await self._look()
        if not self.shut:
            return most
        if most < 1 or not self._probe_is_due:
            return 0
        return await self._claim()

    async def report(self, answers: Answers) -> None:
        """Take in how one call ended; this is what opens, closes and pauses."""
        for _, answer in answers:
            if (cause := PAUSING.get(answer.kind)) is not None:
                await self._pause(cause, answer)
                break
        sign = read(answers)
        if sign is None:
            await self.forgo()
            return
        after = breaker.seen(
            self._breaker,
            sign,
            {str(subject) for subject, _ in answers},
            probe=self._holds_probe,
        )
        try:
            await self._move(after, answers[0][1])
        except StoreUnavailable as error:
            # What was counted stays: the next call that ends like this one tries again.
            log.warning("gate_not_written", destination=self.rule.name, error=str(error))
            return
        self._breaker = after

    async def _move(self, after: Breaker, answer: Answer) -> None:
        closed = self._breaker.position is Position.CLOSED
        if after.position is Position.CLOSED:
            if not closed:
                await self._close()
                self._probe = None
        elif closed:
            await self._open(answer)
        elif self._holds_probe:
            await self._failed(answer)
            self._probe = None

    async def forgo(self) -> None:
        """Give a claimed probe back: nothing had to be called after all."""
        if not self._holds_probe:
            return
        fence, self._probe = self._probe, None
        assert fence is not None
        try:
            await destinations.forgo_probe(self._pool, self.rule.name, fence)
        except StoreUnavailable as error:
            log.warning("gate_not_written", destination=self.rule.name, error=str(error))
        self._looked = None

    @property
    def _holds_probe(self) -> bool:
        return self._probe is not None and time.monotonic() < self._probe_until

    @property
    def _probe_is_due(self) -> bool:
        """As far as the last look tells; only the row decides."""
        if self._view.paused or self._holds_probe or self._looked is None:
            return False
        due = self._view.probe_in
        return due is not None and time.monotonic() >= self._looked + due

    async def _look(self) -> None:
        now = time.monotonic()
        if self._looked is not None and now < self._looked + LOOK_EVERY:
            return
        try:
            view = await destinations.look(self._pool, self.rule.name)
        except StoreUnavailable:
            return
        self._view, self._looked = view, now
        position = Position(view.breaker)
        if position is not self._breaker.position:
            # Another worker found out, or an operator decided; what we counted is about the past.
            self._breaker = Breaker(position)

    async def _claim(self) -> int:
        hold = 4 * self.rule.timeout + timedelta(seconds=5)
        begun = time.monotonic()
        try:
            fence = await destinations.claim_probe(self._pool, self.rule.name, hold=hold)
        except StoreUnavailable:
            return 0
        self._looked = None
        if fence is None:
            return 0
        self._probe, self._probe_until = fence, begun + hold.total_seconds()
        self._breaker = Breaker(Position.HALF_OPEN)
        return 1

    async def _open(self, answer: Answer) -> None:
        first = await destinations.open_breaker(
            self._pool,
            self.rule.name,
            probe_after=_back_off(0),
            error=answer.detail,
        )
        self._looked = None
        if first:
            self._tell(Position.OPEN, error=answer.detail)

    async def _close(self) -> None:
        first = await destinations.close_breaker(self._pool, self.rule.name)
        self._looked = None
        if first:
            self._tell(Position.CLOSED)

    async def _failed(self, answer: Answer) -> None:
        assert self._probe is not None
        wait = _back_off(self._probe)
        await destinations.probe_failed(
            self._pool, self.rule.name, self._probe, probe_after=wait, error=answer.detail
        )
        self._looked = None

    async def _pause(self, cause: Cause, answer: Answer) -> None:
        name, reason = self.rule.name, answer.detail or "It gave no reason."
        try:
            async with transaction(self._pool) as tx:
                first = await destinations.pause(tx, name, by=OURSELVES, cause=cause, reason=reason)
        except StoreUnavailable as error:
            log.warning("gate_not_written", destination=name, error=str(error))
            return
        self._looked = None
        self._view = View(paused=True, breaker=self._view.breaker, probe_in=self._view.probe_in)
        if first:
            telemetry.DESTINATION_PAUSES.labels(name, cause).inc()
            log.error("destination_paused", destination=name, cause=cause, reason=reason)

    def _tell(self, position: Position, **why: str) -> None:
        name = self.rule.name
        telemetry.BREAKER_CHANGES.labels(name, position.value).inc()
        if position is Position.OPEN:
            log.error("breaker_opened", destination=name, **why)
        else:
            log.info("breaker_closed", destination=name)


def read(answers: Answers) -> Sign | None:
    """What one call says about the destination; None when it says nothing."""
    signs = {_sign(answer) for _, answer in answers}
    for sign in (Sign.WELL, Sign.UNREACHED, Sign.FAILED):
        if sign in signs:
            return sign
    return None


def _sign(answer: Answer) -> Sign | None:
    match answer.kind:
        case Class.OK:
            return Sign.WELL
        case Class.TRANSIENT | Class.UNKNOWN_OUTCOME:
            return Sign.FAILED if answer.reached else Sign.UNREACHED
        case (
            Class.RATE
            | Class.AUTH
            | Class.CONFLICT
            | Class.NOT_FOUND
            | Class.PERMANENT
            | Class.GONE
            | Class.HUMAN
        ):
            return Sign.WELL if answer.http_status is not None else None
        case _:
            assert_never(answer.kind)


def _back_off(probes: int) -> timedelta:
    return breaker.back_off(probes, jitter=random.random())  # noqa: S311
