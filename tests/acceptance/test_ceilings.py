"""What is promised of speed: a CRM's ceiling is used, nothing is refused, an outage costs none.

The figures are the simulators' own counters. How much of a ceiling is used in how many seconds is
the machine's word as well as ours: the long tests ask for nearly all of it, the others for what any
machine has, and all of them for full requests and for no refusal.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from service.domain.routing import Route
from service.settings import Destination
from service.store import pool
from service.store.pool import Pool, transaction
from service.worker import sync
from service.worker.delivery.pump import hand_on
from service.worker.fold import Fold
from service.worker.rules import Rules
from tests import ceilings, make
from tests.ceilings import Simulator, Span, Worker
from tests.delivery import accepted, rows, until

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

LEAST = 0.95
BUSY = 0.3
PER_SECOND = 19.0
HUBSPOT: dict[str, Any] = {
    "statuses": {"paid": "paid"},
    "attributes": {"tracking": "tracking"},
    "limits": {
        "requests": {"count": 190, "period": "10s"},
        "daily": {"count": 650_000, "period": "1d"},
    },
}
BITRIX24: dict[str, Any] = {
    "statuses": {"paid": "PREPARATION"},
    "attributes": {"tracking": "ufCrmTracking"},
}
FULL_BUCKET = """
INSERT INTO budgets (destination, name, count, period, earned_at)
VALUES ('crm', 'requests', 1, interval '1 s', clock_timestamp() + $1 * interval '1 s')
"""
TEN_MINUTES_PASS = (
    """
    UPDATE destinations SET opened_at = opened_at - interval '10 min',
                            next_probe_at = next_probe_at - interval '10 min'
    """,
    """
    UPDATE syncs SET failing_since = failing_since - interval '10 min',
                     due_at = due_at - interval '10 min'
    WHERE due_at IS NOT NULL
    """,
)


@pytest.fixture(autouse=True)
def quiet() -> None:
    ceilings.be_quiet()


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        yield opened


async def used(
    dsn: str, rule: Destination, simulated: Simulator, *, workers: int, warm: float, seconds: float
) -> Span:
    async with AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(ceilings.worker(dsn, rule))
        await asyncio.sleep(warm)
        return await ceilings.during(simulated, seconds)


async def test_two_workers_use_bitrix24_to_its_ceiling_and_are_never_refused(
    db: Pool, database: str
) -> None:
    """The Enterprise plan: 5 requests a second; the bucket is full, as it is after a while."""
    rate = 5.0
    with ceilings.simulator("bitrix24", 4500, rate=rate) as simulated:
        limit = {"requests": {"count": rate, "period": "1s", "burst": 50}}
        rule = ceilings.destination(simulated, **BITRIX24, limits=limit)
        await ceilings.owe(db, 4500, status="paid")
        await simulated.ask("fill")
        async with transaction(db) as tx:
            await tx.execute(FULL_BUCKET, 45 / rate)
        span = await used(database, rule, simulated, workers=2, warm=2, seconds=12)
    assert 0 == span.ended.refused["requests"]
    assert 50 == round(span.rows_a_request)
    assert span.share(rate) >= BUSY


async def test_full_batches_go_to_hubspot_at_its_limit(db: Pool, database: str) -> None:
    with ceilings.simulator("hubspot", 20_000) as simulated:
        rule = ceilings.destination(simulated, **HUBSPOT)
        await ceilings.owe(db, 20_000, status="paid")
        span = await used(database, rule, simulated, workers=1, warm=1, seconds=8)
    assert 0 == sum(span.ended.refused.values())
    assert 100 == round(span.rows_a_request)
    assert span.share(PER_SECOND) >= BUSY


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("workers", [1, 2])
async def test_bitrix24_for_long(db: Pool, database: str, workers: int) -> None:
    with ceilings.simulator("bitrix24", 12_000) as simulated:
        rule = ceilings.destination(simulated, **BITRIX24)
        await ceilings.owe(db, 12_000, status="paid")
        span = await used(database, rule, simulated, workers=workers, warm=35, seconds=45)
    assert 0 == span.ended.refused["requests"]
    assert span.share(2.0) >= LEAST
    assert 50 == round(span.rows_a_request)


@pytest.mark.long
@pytest.mark.timeout(400)
@pytest.mark.parametrize("workers", [1, 2])
async def test_hubspot_for_long(db: Pool, database: str, workers: int) -> None:
    with ceilings.simulator("hubspot", 100_000) as simulated:
        rule = ceilings.destination(simulated, **HUBSPOT)
        await ceilings.owe(db, 100_000, status="paid")
        span = await used(database, rule, simulated, workers=workers, warm=5, seconds=30)
    assert 0 == sum(span.ended.refused.values())
    assert span.share(PER_SECOND) >= LEAST
    assert 100 == round(span.rows_a_request)


async def test_an_outage_costs_no_attempt_and_what_is_live_overtakes_what_waits(
    db: Pool, database: str
) -> None:
    await outage(db, database, orders=8_000, least=BUSY)


@pytest.mark.long
@pytest.mark.timeout(600)
async def test_a_hundred_thousand_orders_wait_for_ten_minutes(db: Pool, database: str) -> None:
    await outage(db, database, orders=100_000, least=LEAST)


async def outage(db: Pool, dsn: str, *, orders: int, least: float) -> None:
    live = 40
    with ceilings.simulator("hubspot", 0) as gone:
        port, token = gone.port, gone.table["token"].removeprefix("plain:")
    rule = ceilings.destination(gone, **HUBSPOT, timeout="2s")
    await ceilings.owe(db, orders, status="paid")
    async with ceilings.worker(dsn, rule) as worker:
        await until(_shut(worker))
        before = await _burned(db)
        assert before <= 16 * 100  # the calls on their way when it opened
        for _ in range(8):
            await asyncio.sleep(0.25)
            assert await _leased(db) <= 1
        async with transaction(db) as tx:
            for statement in TEN_MINUTES_PASS:
                await tx.execute(statement)
        assert [(before, 0)] == await rows(
            db, "SELECT sum(attempts), count(*) FILTER (WHERE state = 'dead') FROM syncs"
        )
        with ceilings.simulator("hubspot", orders + live, port=port, token=token) as back:
            await until(_open(worker))
            await asyncio.sleep(1.0)
            span = await _drained(db, worker, back, orders=orders, live=live)
    assert 0 == span.refused
    assert span.share(PER_SECOND) >= least
    assert await rows(db, "SELECT state, count(*) FROM syncs GROUP BY 1") == [
        ("synced", orders + live)
    ]
    assert await rows(db, "SELECT count(*) FROM dead_letters") == [(0,)]
    waits = await rows(
        db,
        "SELECT max(y.updated_at - t.at) < interval '10 s' FROM syncs y "
        "JOIN transitions t USING (subject_id) WHERE y.subject_id IN "
        f"(SELECT id FROM subjects ORDER BY id DESC LIMIT {live})",
    )
    assert waits == [(True,)]


async def _drained(db: Pool, worker: Worker, back: Simulator, *, orders: int, live: int) -> Span:
    """Until nearly all is written; meanwhile events come in, one by one."""
    rules = Rules(
        routes=(Route(["*"], ["order.*"], ["crm"]),),
        leases={"crm": sync.lease_time(worker.pump.station.rule)},
        shut=lambda _: worker.gate.shut,
    )
    fold = Fold(db, rules, hand_on=hand_on({"crm": worker.pump}))
    begun = await back.count()
    for number in range(live):
        event = make.event(ref=f"o{orders + number}", lane="payment", status="paid")
        await accepted(db, [event])
        await fold.fold([event.id])
        await asyncio.sleep(0.05)
    nearly = orders * 0.97

    async def written() -> bool:
        return (await back.count()).writes >= begun.writes + nearly - (begun.writes - orders - live)

    await until(written, within=orders / 1000 + 60)
    ended = await back.count()

    async def settled() -> bool:
        return await rows(db, "SELECT 1 FROM syncs WHERE state <> 'synced' LIMIT 1") == []

    await until(settled, within=30)
    return Span(begun, ended)


def _shut(worker: Worker) -> Any:
    async def check() -> bool:
        return worker.gate.shut

    return check


def _open(worker: Worker) -> Any:
    async def check() -> bool:
        return not worker.gate.shut

    return check


async def _burned(db: Pool) -> int:
    """Attempts counted once all calls have ended that were on their way."""
    last = -1
    while (found := (await rows(db, "SELECT sum(attempts) FROM syncs"))[0][0]) != last:
        last = found
        await asyncio.sleep(1.0)
    return int(last)


async def _leased(db: Pool) -> int:
    query = "SELECT count(*) FROM syncs WHERE lease_owner IS NOT NULL"
    return int((await rows(db, query))[0][0])
