"""Owed look-ups come in; senders are asked, and their answers accepted like any other request."""

import asyncio
import random
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import assert_never
from urllib.parse import quote, unquote
from uuid import UUID

import structlog

from service import supervisor, telemetry
from service.domain.errors import DataRejected, StoreUnavailable
from service.domain.events import Event, Fate, Statement
from service.domain.verdict import DeadLetter, Done, Retry, Verdict
from service.intake.provider import Inquiry, RawRequest
from service.intake.providers import registry
from service.intake.receive import Sender
from service.outbound import Answer, Outbound
from service.settings import Secret
from service.store import acceptance, outbox, owed_lookups
from service.store.acceptance import Arrival
from service.store.ids import new_id
from service.store.owed_lookups import Owed
from service.store.pool import Pool, transaction
from service.store.seals import PLAIN, Seals
from service.supervisor import pause
from service.worker import lookups

log = structlog.get_logger()

AT_ONCE = 8
WITHIN = timedelta(seconds=10)
LEASE = timedelta(seconds=30)
IDLE = 1.0
UNKNOWN = "unknown"
"""A source that is configured no more, in metrics."""


class Runner:
    """Asks the senders for one process; `senders` gives those configured at each moment."""

    def __init__(  # noqa: PLR0913
        self,
        pool: Pool,
        outbound: Outbound,
        senders: Callable[[], Mapping[str, Sender]],
        *,
        clock: Callable[[], datetime],
        process: UUID,
        within: timedelta = WITHIN,
        sealing: Seals = PLAIN,
    ) -> None:
        self._pool = pool
        self._outbound = outbound
        self._senders = senders
        self._clock = clock
        self._process = process
        self._within = within
        self._sealing = sealing

    async def run(self, stop: asyncio.Event) -> None:
        """Look up what is due until stopped; what is in hand is finished."""
        while not stop.is_set():
            supervisor.beat()
            try:
                found = await self.step()
            except StoreUnavailable as error:
                log.warning("lookups_put_off", reason=str(error))
                found = 0
            if found < AT_ONCE:
                await pause(stop, IDLE)

    async def step(self) -> int:
        """Look up what is due now, a few at a time; tells how many there were."""
        async with transaction(self._pool) as tx:
            claimed = await owed_lookups.claim(tx, limit=AT_ONCE, lease=LEASE)
        await asyncio.gather(*(self._look_up(owed) for owed in claimed))
        return len(claimed)

    async def _look_up(self, owed: Owed) -> None:
        verdict = await self._ask(owed)
        async with transaction(self._pool) as tx:
            match verdict:
                case Done():
                    why = f"looked up: {lookups.named(owed.lookup)}"
                    await owed_lookups.settle(tx, owed, why=why)
                case Retry(after=after):
                    await owed_lookups.put_off(tx, owed, by=after or timedelta())
                case DeadLetter() as letter:
                    await owed_lookups.give_up(tx, owed, letter)
                case _:
                    assert_never(verdict)
        known = owed.source if owed.source in self._senders() else UNKNOWN
        telemetry.LOOKUPS.labels(known, _word(verdict)).inc()
        log.info(
            "looked_up", source=owed.source, event_id=str(owed.event_id), verdict=_word(verdict)
        )

    async def _ask(self, owed: Owed) -> Verdict:
        sender = self._senders().get(owed.source)
        if owed.attempts > lookups.LIMITS.max_attempts:
            return lookups.failed(owed, "each worker that tried it ended at it")
        if sender is None or owed.lookup is None:
            return lookups.failed(owed, "there is no such source now, or nothing to look up")
        inquiry = sender.provider.inquire(owed.lookup)
        address = sender.source.api or registry.preset(sender.source.provider).api
        if inquiry is None or not address:
            return lookups.failed(owed, "the source does not say where its API is (api)")
        told = authorized(inquiry, sender.source.token)
        if told is None:
            return lookups.failed(owed, "the source has no token to show its API")
        answer = await self._outbound.get(
            url(address, told),
            within=self._within,
            most=sender.source.max_body,
            headers={"Accept": "application/json", **told.headers},
        )
        verdict = lookups.judge(answer, owed, now=self._clock(), jitter=_jitter())
        if isinstance(verdict, Done) and isinstance(answer, Answer):
            return await self._accept(owed, sender, inquiry, answer)
        return verdict

    async def _accept(
        self, owed: Owed, sender: Sender, inquiry: Inquiry, answer: Answer
    ) -> Verdict:
        """Store the answer as a request of its own; said again, it is a duplicate like any."""
        request = asked(inquiry, answer, at=self._clock())
        said = [settled(one) for one in sender.provider.parse(request)]
        if unread := next((one for one in said if one.fate is Fate.UNREADABLE), None):
            return lookups.again(
                owed, f"its answer cannot be read: {unread.note}", jitter=_jitter()
            )
        arrival = _arrival(sender.source.name, request, answer, said)
        try:
            await acceptance.accept(
                self._pool,
                [arrival],
                process=self._process,
                published=False,
                lease=outbox.LEASE,
                sealing=self._sealing,
            )
        except DataRejected as error:
            return lookups.failed(owed, str(error))
        return Done()


def url(address: str, inquiry: Inquiry) -> str:
    """Write the whole address; an inquiry can lead no further than below the API."""
    path = "/" + inquiry.path.lstrip("/")
    return f"{address.rstrip('/')}{path}{'?' + inquiry.query if inquiry.query else ''}"


def authorized(inquiry: Inquiry, secret: Secret | None) -> Inquiry | None:
    """Fill the token in where it belongs; None where there is none. Never stored, never logged."""
    if TOKEN not in inquiry.path and not inquiry.authorization:
        return inquiry
    if secret is None:
        return None
    token = secret.reveal().strip()
    plain, encoded = token.decode("latin-1"), b64encode(token).decode()
    header = inquiry.authorization.replace("{token64}", encoded).replace(TOKEN, plain)
    return replace(
        inquiry,
        path=inquiry.path.replace(TOKEN, quote(plain, safe="/")),
        headers={**inquiry.headers, **({"Authorization": header} if header else {})},
    )


TOKEN = "{token}"  # noqa: S105  # stands for one


def asked(inquiry: Inquiry, answer: Answer, *, at: datetime) -> RawRequest:
    """Write an answer as the request it is stored and read as, now and at every replay."""
    path = "/" + inquiry.path.lstrip("/")
    kind = answer.headers.get("content-type", "")
    return RawRequest(
        method="GET",
        path=path,
        query=inquiry.query,
        headers=[("content-type", kind)] if kind.isascii() and kind.isprintable() else [],
        body=answer.body,
        received_at=at,
        tail=unquote(path.removeprefix("/webhooks/").partition("/")[2]),
        id=new_id(),
    )


def settled(said: Statement) -> Statement:
    """Follow no look-up out of a look-up: two objects may point at each other."""
    if said.fate is not Fate.LOOK_UP:
        return said
    return replace(said, fate=Fate.IGNORED, lookup=None, note="It came out of a look-up itself.")


def _arrival(
    source: str, request: RawRequest, answer: Answer, said: Sequence[Statement]
) -> Arrival:
    return Arrival(
        id=request.id or new_id(),
        source=source,
        received_at=request.received_at,
        peer="",
        method=request.method,
        path=request.path,
        query=request.query,
        headers=dict(request.headers),
        body=answer.body,
        events=[Event(new_id(), source, one, request.received_at) for one in said],
    )


def _jitter() -> float:
    return random.random()  # noqa: S311  # spreads retries, guards nothing


def _word(verdict: Verdict) -> str:
    match verdict:
        case Done():
            return "done"
        case Retry():
            return "retry"
        case DeadLetter():
            return "dead"
        case _:
            assert_never(verdict)
