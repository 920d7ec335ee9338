"""Entries already marked as published go in, messages go out; what fails is owed again at once."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal
from uuid import UUID

import structlog

from service import journal, telemetry, tracing
from service.broker import wire
from service.broker.base import Broker
from service.domain.errors import BrokerUnavailable, StoreUnavailable
from service.faultpoint import faultpoint
from service.store import outbox
from service.store.outbox import Entry
from service.store.pool import Pool, transaction

log = structlog.get_logger()

Road = Literal["fast_path", "relay"]
Message = Sequence[UUID]


class Publisher:
    """Has at most `at_once` messages of a call under way, because each waits for its confirm."""

    def __init__(self, broker: Broker, queue: str, *, pool: Pool, road: Road, at_once: int) -> None:
        self._broker = broker
        self._queue = queue
        self._pool = pool
        self._road = road
        self._at_once = at_once

    async def publish(self, messages: Sequence[Message], published_at: datetime) -> bool:
        """Hand messages over; False when the broker did not take all of them for certain."""
        waiting = iter(messages)
        lost: list[tuple[Message, str]] = []

        async def send() -> None:
            for message in waiting:
                reason = await self._send(message, published_at)
                if reason is not None:
                    lost.append((message, reason))

        await asyncio.gather(*(send() for _ in range(min(self._at_once, len(messages)))))
        if lost:
            ids = [each for message, _ in lost for each in message]
            log.warning(
                "publish_failed",
                road=self._road,
                messages=len(lost),
                event_ids=journal.listed(ids),
                reason=lost[0][1],
            )
            await self._release(ids, published_at)
        return not lost

    async def _send(self, message: Message, published_at: datetime) -> str | None:
        """Return why the message was not confirmed."""
        try:
            with tracing.batch("publish", "producer", message) as traces:
                body = wire.encode(message, published_at, traces)
                await self._broker.publish(self._queue, body)
                faultpoint("publish.confirmed")
        except BrokerUnavailable as error:
            telemetry.PUBLISH_FAILURES.labels(self._road).inc()
            return str(error)
        telemetry.PUBLISHED.labels(self._road).inc(len(message))
        return None

    async def _release(self, event_ids: Sequence[UUID], published_at: datetime) -> None:
        try:
            async with transaction(self._pool) as tx:
                await outbox.release(tx, event_ids, published_at=published_at)
        except StoreUnavailable as error:
            # The workers' progress will show that the entries were lost.
            log.warning("release_failed", entries=len(event_ids), reason=str(error))


def split(entries: Iterable[Entry]) -> list[Message]:
    """Return the ids of each message: a suspect travels alone, the others share."""
    entries = list(entries)
    alone = [[entry.event_id] for entry in entries if entry.solo]
    return [*chunks(entry.event_id for entry in entries if not entry.solo), *alone]


def chunks(event_ids: Iterable[UUID]) -> Iterable[Message]:
    """Cut the ids into lists of as many as a message holds."""
    left = iter(event_ids)
    while chunk := list(islice(left, wire.MAX_IDS)):
        yield chunk
