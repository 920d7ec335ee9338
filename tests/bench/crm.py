"""How much of a CRM's ceiling is used, and what each row costs: pump, budget, gate, PostgreSQL.

The simulated CRMs run in processes of their own and count what comes. What is owed is there before
the clock starts; `known` records were found before, at first contact each is looked for. A ceiling
is what the vendor's limit allows: requests times the rows of a full batch.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import psutil
import uvloop

from service.store import migrate, pool
from tests import ceilings, servers

WORDS = (
    "{name:34} {share:6.1%} {refused:8.0f} {rate:8,.0f} {rows:12.1f} {ours:10,.0f} {theirs:10,.0f}"
)
HEAD = "of the ceiling, refused, rows/s, rows a request, µs of a worker a row, of PostgreSQL"


@dataclass(frozen=True)
class Case:
    name: str
    simulated: str
    orders: int
    workers: int
    warm: float
    seconds: float
    per_second: float
    table: dict[str, Any]
    known: bool = True


BITRIX24: dict[str, Any] = {
    "statuses": {"paid": "PREPARATION"},
    "attributes": {"tracking": "ufCrmTracking"},
}
HUBSPOT: dict[str, Any] = {
    "statuses": {"paid": "paid"},
    "attributes": {"tracking": "tracking"},
    "limits": {
        "requests": {"count": 190, "period": "10s"},
        "daily": {"count": 650_000, "period": "1d"},
    },
}
CASES = (
    Case("Bitrix24, 2/s of 50, known", "bitrix24", 11_000, 1, 35, 40, 2, BITRIX24),
    Case("Bitrix24, two workers, known", "bitrix24", 11_000, 2, 35, 40, 2, BITRIX24),
    Case("Bitrix24, first contact", "bitrix24", 11_000, 1, 35, 40, 2, BITRIX24, known=False),
    Case("HubSpot, 190/10 s of 100, known", "hubspot", 90_000, 1, 6, 30, 19, HUBSPOT),
    Case("HubSpot, two workers, known", "hubspot", 90_000, 2, 6, 30, 19, HUBSPOT),
    Case(
        "HubSpot, first contact (by number)", "hubspot", 90_000, 1, 6, 30, 19, HUBSPOT, known=False
    ),
)


async def measured(case: Case, dsn: str) -> str:
    with ceilings.simulator(case.simulated, case.orders) as simulated:
        rule = ceilings.destination(simulated, **case.table)
        async with pool.opened(dsn, size=1) as db, AsyncExitStack() as stack:
            await ceilings.owe(db, case.orders, status="paid", known=case.known)
            for _ in range(case.workers):
                await stack.enter_async_context(ceilings.worker(dsn, rule))
            await asyncio.sleep(case.warm)
            begun = time.process_time(), sum(_of_postgres())
            span = await ceilings.during(simulated, case.seconds)
            ours, theirs = time.process_time() - begun[0], sum(_of_postgres()) - begun[1]
    rows = max(span.writes, 1)
    return WORDS.format(
        name=case.name,
        share=span.share(case.per_second),
        refused=span.refused,
        rate=span.writes / span.seconds,
        rows=span.rows_a_request,
        ours=ours / rows * 1e6,
        theirs=theirs / rows * 1e6,
    )


def _of_postgres() -> Iterator[float]:
    """Seconds of CPU of the server and of all who serve a connection, as far as they live yet."""
    for process in psutil.Process().children(recursive=True):
        try:
            if process.name() == "postgres":
                spent = process.cpu_times()
                yield spent.user + spent.system
        except psutil.NoSuchProcess:
            continue


def main() -> None:
    ceilings.be_quiet()
    chosen = [case for case in CASES if not sys.argv[1:] or case.simulated in sys.argv[1:]]
    with servers.postgres() as server:
        print(HEAD)
        for number, case in enumerate(chosen):
            server.execute(f"CREATE DATABASE bench_{number}")
            dsn = server.database(f"bench_{number}")
            server.call(migrate.upgrade(dsn))
            print(uvloop.run(measured(case, dsn)), flush=True)


if __name__ == "__main__":
    main()
