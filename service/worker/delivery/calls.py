"""Exchanges with one CRM: questions and writes in, an answer for each out, always and in time."""

import asyncio
import time
from collections.abc import Awaitable, Sequence
from typing import TypeVar

import structlog

from service import telemetry
from service.worker.crms.base import (
    Answer,
    Class,
    Crm,
    Known,
    Record,
    Records,
    Wanted,
    Write,
)

log = structlog.get_logger()

Found = Sequence[Record] | Answer
Read = Record | Answer
T = TypeVar("T")


class Calls:
    """An adapter never raises and answers everything; should one fail in that, nobody suffers.

    `until` is a moment of the monotonic clock by which a call is over, come what may.
    """

    def __init__(self, destination: str) -> None:
        self._destination = destination

    async def find(
        self, crm: Records, wanted: Sequence[Wanted], *, until: float
    ) -> tuple[Sequence[Found], int]:
        lost = Answer(Class.TRANSIENT, "find", detail="The records were not found in time.")
        return await self._ended(crm.find(wanted), count=len(wanted), lost=lost, until=until)

    async def read(
        self, crm: Records, known: Sequence[Known], *, until: float
    ) -> tuple[Sequence[Read], int]:
        lost = Answer(Class.TRANSIENT, "read", detail="The records were not read in time.")
        return await self._ended(crm.read_many(known), count=len(known), lost=lost, until=until)

    async def write(
        self, crm: Crm, writes: Sequence[Write], *, until: float
    ) -> tuple[Sequence[Answer], int]:
        lost = Answer(Class.UNKNOWN_OUTCOME, "write", detail="No answer came in time.")
        return await self._ended(crm.write_batch(writes), count=len(writes), lost=lost, until=until)

    async def note(
        self, crm: Records, known: Known, text: str, *, until: float
    ) -> tuple[Answer, int]:
        async def one() -> Sequence[Answer]:
            return [await crm.note(known, text)]

        lost = Answer(Class.UNKNOWN_OUTCOME, "note", detail="No answer came in time.")
        answers, ms = await self._ended(one(), count=1, lost=lost, until=until)
        return answers[0], ms

    async def _ended(
        self, call: Awaitable[Sequence[T]], *, count: int, lost: Answer, until: float
    ) -> tuple[Sequence[T | Answer], int]:
        begun = time.monotonic()
        answers: Sequence[T | Answer] = [lost] * count
        try:
            async with asyncio.timeout(until - begun):
                given = await call
            if len(given) == count:
                answers = given
            else:
                log.error("crm_adapter_miscounted", destination=self._destination)
        except TimeoutError:
            log.warning("crm_call_cut", destination=self._destination, operation=lost.operation)
        except Exception:
            log.exception("crm_adapter_failed", destination=self._destination)
            answers = [_failed(lost)] * count
        took = time.monotonic() - begun
        telemetry.CRM_SECONDS.labels(self._destination).observe(took)
        return answers, round(took * 1000)


def _failed(lost: Answer) -> Answer:
    return Answer(lost.kind, lost.operation, detail="The adapter failed; see the log.")
