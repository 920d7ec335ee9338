"""A simulated CRM in a process of its own, much that is owed to it, and workers that carry it.

What is asserted stands in the simulator's own counters: what was used, what was refused, and when.
"""

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import structlog

from service.domain.law import LAW
from service.domain.state import State
from service.settings import Destination
from service.store import partitions, pool
from service.store.ids import new_id
from service.store.pool import Connection, Pool
from service.worker.budgets import Budget
from service.worker.crms import client, registry
from service.worker.crms.base import Crm
from service.worker.crms.kind import Tools
from service.worker.delivery.pump import Pump
from service.worker.gate import Gate
from tests.contract.peers import configured

FIRST_ID = 1001
"""Of the records of a simulator; the others follow in order."""
STOP_WITHIN = 30.0
ROWS_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Count:
    """What a simulator had counted at one moment of its own clock."""

    at: float
    used: Mapping[str, float]
    refused: Mapping[str, float]
    calls: int
    writes: int


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two counts."""

    begun: Count
    ended: Count

    @property
    def seconds(self) -> float:
        return self.ended.at - self.begun.at

    @property
    def requests(self) -> float:
        return self.ended.used["requests"] - self.begun.used["requests"]

    @property
    def writes(self) -> int:
        return self.ended.writes - self.begun.writes

    @property
    def rows_a_request(self) -> float:
        return self.writes / max(self.requests, 1)

    @property
    def refused(self) -> float:
        return sum(self.ended.refused.values()) - sum(self.begun.refused.values())

    def share(self, per_second: float) -> float:
        """What part of a ceiling of requests was used."""
        return self.requests / self.seconds / per_second


@dataclass(frozen=True, slots=True)
class Simulator:
    """A simulated CRM that holds the orders `o0`, `o1` and so on."""

    control: str
    table: Mapping[str, Any]

    @property
    def port(self) -> int:
        return urlsplit(self.table["url"]).port or 0

    async def count(self) -> Count:
        return Count(**await self.ask("count"))

    async def ask(self, path: str) -> dict[str, Any]:
        return await asyncio.to_thread(self._ask, path)

    def _ask(self, path: str) -> dict[str, Any]:
        with urlopen(f"{self.control}/{path}", timeout=20) as response:
            found: dict[str, Any] = json.loads(response.read())
        return found


@contextmanager
def simulator(
    name: str, orders: int, *, port: int = 0, rate: float = 0.0, token: str = ""
) -> Iterator[Simulator]:
    """`rate`: requests a second, where it can be chosen; `port`, `token`: as it was before."""
    said = {"name": name, "orders": orders, "port": port, "rate": rate, "token": token}
    words = [sys.executable, "-m", "tests.simulator", json.dumps(said)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        told = json.loads(process.stdout.readline())
        yield Simulator(told["control"], told["table"])
    finally:
        process.kill()
        process.wait(STOP_WITHIN)
        process.stdout.close()


def destination(simulated: Simulator, **table: Any) -> Destination:
    return configured({**simulated.table, **table})


async def owe(db: Pool, count: int, *, status: str, known: bool = True, start: int = 0) -> None:
    """Have so many orders owed to `crm`; `known`: their records were found before."""
    await partitions.ensure(db)
    for begin in range(start, start + count, ROWS_AT_ONCE):
        numbers = range(begin, min(begin + ROWS_AT_ONCE, start + count))
        async with pool.session(db) as connection:
            await _owe(connection, numbers, status, known=known)
    async with pool.session(db) as connection:
        await connection.execute("ANALYZE subjects, syncs, transitions, events", timeout=60)


async def _owe(connection: Connection, numbers: range, status: str, *, known: bool) -> None:
    at = datetime.now(UTC)
    state = replace(State.empty(), attributes={"tracking": "RB123456789SE"}).to_json()
    subjects = await connection.fetch(
        """
        INSERT INTO subjects (lifecycle, scope, ref, status, version, law, state)
        SELECT 'order', '', 'o' || n, $2, 1, $3, $4::jsonb FROM unnest($1::bigint[]) AS n
        RETURNING id
        """,
        list(numbers),
        status,
        LAW,
        state,
        timeout=60,
    )
    ids = [row["id"] for row in subjects]
    events, requests = [new_id() for _ in ids], [new_id() for _ in ids]
    said: list[tuple[Any, ...]] = [
        (event, request, "shop", str(event), "order", "", f"o{n}", "payment", status, "", at, {})
        for event, request, n in zip(events, requests, numbers, strict=True)
    ]
    await _copy(
        connection,
        "events",
        "id request_id source dedupe_key lifecycle scope ref lane status code received_at "
        "attributes fate note",
        [(*row, "fold", "") for row in said],
    )
    moves = zip(ids, events, strict=True)
    await _copy(
        connection,
        "transitions",
        "id subject_id version previous status lanes event_ids",
        [(new_id(), row, 1, "", status, {}, [event]) for row, event in moves],
    )
    remote = [str(FIRST_ID + n) if known else None for n in numbers]
    await _copy(
        connection,
        "syncs",
        "subject_id destination desired_version due_at remote_id",
        [(row, "crm", 1, at, record) for row, record in zip(ids, remote, strict=True)],
    )


async def _copy(connection: Connection, table: str, columns: str, rows: Sequence[Any]) -> None:
    await connection.copy_records_to_table(table, records=rows, columns=columns.split(), timeout=60)


@dataclass(frozen=True, slots=True)
class Worker:
    """The pump of one process, with pools, gate and budget of its own."""

    pump: Pump
    gate: Gate
    budget: Budget
    crm: Crm


@asynccontextmanager
async def worker(dsn: str, rule: Destination) -> AsyncIterator[Worker]:
    """A pump at work, built as the service builds it."""
    async with AsyncExitStack() as stack:
        syncs = await stack.enter_async_context(pool.opened(dsn, size=4))
        quotas = await stack.enter_async_context(pool.opened(dsn, size=3))
        session = await stack.enter_async_context(client.open_session(0))
        budget = Budget(rule.name, pool=quotas, clock=_now)
        crm = registry.crms_by_name()[rule.crm].build(rule, Tools(session, _now, budget))
        budget.adopt(crm.limits(), rule.limits)
        gate = Gate(rule, pool=quotas)
        pump = Pump(rule, crm, pool=syncs, gate=gate, budget=budget)
        async with _running(pump):
            yield Worker(pump, gate, budget, crm)
        await budget.close()


@asynccontextmanager
async def _running(pump: Pump) -> AsyncIterator[None]:
    stop = asyncio.Event()
    tasks = [asyncio.create_task(run(stop)) for run in (pump.find, pump.start, pump.record)]
    try:
        yield
    finally:
        stop.set()
        async with asyncio.timeout(STOP_WITHIN):
            await asyncio.gather(*tasks)


def _now() -> datetime:
    return datetime.now(UTC)


def be_quiet() -> None:
    """Log as little as a service whose lines nobody prints: a test prints each."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))


async def during(simulated: Simulator, seconds: float) -> Span:
    begun = await simulated.count()
    await asyncio.sleep(seconds)
    return Span(begun, await simulated.count())
