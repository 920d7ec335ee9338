"""Shared budgets on a real PostgreSQL: several processes spend one row, none spends too much."""

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.budget import DAY, Hint, Limit
from service.sandbox.dialects.meters import Leaky, Meter, Rolling
from service.settings import LimitRule
from service.store import budgets, pool
from service.store.pool import Pool, transaction
from service.worker.budgets import Budget

pytestmark = pytest.mark.postgres

SECOND = timedelta(seconds=1)
FAST = Limit("requests", 100, SECOND)
SLOW = Limit("requests", 1, timedelta(seconds=60))
DAILY = Limit("requests", 1000, DAY)
ONE = {"requests": 1.0}
SHARE = pytest.mark.parametrize("share", [0.3, pytest.param(0.95, marks=pytest.mark.long)])
"""How much is used at least: any machine uses a part; nearly all, one with nothing else to do."""
COUNTING = """
CREATE TABLE written (used float8);
CREATE FUNCTION note_it() RETURNS trigger LANGUAGE plpgsql AS
    $$BEGIN INSERT INTO written VALUES (NEW.used); RETURN NEW; END$$;
CREATE TRIGGER noted AFTER UPDATE ON budgets FOR EACH ROW EXECUTE FUNCTION note_it()
"""


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=8) as opened:
        yield opened


def budget(db: Pool, *limits: Limit, **rules: LimitRule) -> Budget:
    made = Budget("crm", pool=db, clock=now)
    made.adopt(limits, rules)
    return made


class Vendor:
    """Notes when each call came, by one clock."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    async def caller(self, spender: Budget, until: float, *, live: bool = False) -> int:
        """Call as fast as the budget allows."""
        done = 0
        while (at := time.monotonic()) < until:
            pause = await spender.ready(live=live)
            if pause > 0:
                await asyncio.sleep(min(pause, max(until - at, 0)))
            elif await spender.spend(ONE) is None:
                self.calls.append(time.monotonic())
                done += 1
        return done

    def refused(self, meter: Meter) -> int:
        for at in sorted(self.calls):
            meter.take(1.0, at=at)
        return meter.refused


async def saturate(
    db: Pool, limit: Limit, *, seconds: float, workers: int = 4, each: int = 4
) -> Vendor:
    vendor = Vendor()
    crew = [budget(db, limit) for _ in range(workers)]
    await asyncio.gather(*(one.ready(live=False) for one in crew))
    until = time.monotonic() + seconds
    await asyncio.gather(
        *(vendor.caller(one, until) for one in crew for _ in range(each)),
    )
    return vendor


async def row(db: Pool, columns: str = "*") -> Any:
    async with transaction(db) as tx:
        return await tx.fetchrow(f"SELECT {columns} FROM budgets WHERE name = 'requests'")


@SHARE
@pytest.mark.parametrize("limit", [FAST, Limit("requests", 20, SECOND)])
async def test_four_processes_use_a_window_and_never_more(
    db: Pool, limit: Limit, share: float
) -> None:
    vendor = await saturate(db, limit, seconds=3.0)
    assert 0 == vendor.refused(Rolling(count=limit.count, seconds=1.0))
    assert len(vendor.calls) >= share * limit.count * 3.0 - 1


@SHARE
async def test_four_processes_use_a_leaky_bucket_to_its_rim_and_do_not_spill(
    db: Pool, share: float
) -> None:
    limit = Limit("requests", 20, SECOND, burst=50, leaky=True)
    vendor = await saturate(db, limit, seconds=3.0)
    assert 0 == vendor.refused(Leaky(rate=20, size=50))
    assert len(vendor.calls) >= share * (20 * 3.0 + 45)


async def test_a_stock_is_spent_at_any_speed_and_its_last_tenth_only_by_live_work(
    db: Pool,
) -> None:
    crew = [budget(db, Limit("requests", 100, DAY)) for _ in range(4)]

    async def all_of_it(one: Budget, *, live: bool) -> int:
        done = 0
        while await one.ready(live=live) == 0.0 and await one.spend(ONE) is None:
            done += 1
        return done

    spent = await asyncio.gather(*(all_of_it(one, live=False) for one in crew))
    assert 90 == sum(spent)
    assert 10 == sum(await asyncio.gather(*(all_of_it(one, live=True) for one in crew)))
    wait = await crew[0].spend(ONE)
    assert wait is not None
    assert timedelta(hours=23) < wait <= DAY


async def test_live_work_goes_before_the_backlog_of_another_process(db: Pool) -> None:
    limit = Limit("requests", 10, SECOND)
    busy, other = budget(db, limit), budget(db, limit)
    vendor = Vendor()
    until = time.monotonic() + 3.0
    backlog = [asyncio.create_task(vendor.caller(busy, until)) for _ in range(8)]
    await asyncio.sleep(0.5)
    live = [asyncio.create_task(vendor.caller(other, until, live=True)) for _ in range(8)]
    urgent = sum(await asyncio.gather(*live))
    rest = sum(await asyncio.gather(*backlog))
    assert 0 == vendor.refused(Rolling(count=10, seconds=1.0))
    assert urgent > rest


async def test_one_live_call_waits_at_most_a_moment_behind_a_backlog(db: Pool) -> None:
    busy, other = budget(db, FAST), budget(db, FAST)
    vendor = Vendor()
    backlog = [asyncio.create_task(vendor.caller(busy, time.monotonic() + 60.0)) for _ in range(8)]
    await asyncio.sleep(0.7)
    async with asyncio.timeout(10):
        while (pause := await other.ready(live=True)) > 0:
            await asyncio.sleep(pause)
    assert await other.spend(ONE) is None
    assert not any(task.done() for task in backlog)
    for task in backlog:
        task.cancel()
    await asyncio.gather(*backlog, return_exceptions=True)


async def test_a_slow_limit_lets_one_call_through_and_says_how_long_to_wait(db: Pool) -> None:
    crew = [budget(db, SLOW) for _ in range(3)]
    waits = await asyncio.gather(*(one.spend(ONE) for one in crew))
    assert 1 == waits.count(None)
    for wait in waits:
        assert wait is None or timedelta(seconds=50) < wait < timedelta(seconds=62)


async def test_what_was_let_through_counts_before_it_is_spent(db: Pool) -> None:
    one = budget(db, SLOW)
    assert 0.0 == await one.ready(live=False)
    assert 2.0 == await one.ready(live=False)
    assert await one.spend(ONE) is None


async def test_what_nobody_used_goes_back_on_shutdown(db: Pool) -> None:
    one, other = budget(db, DAILY), Budget("fast", pool=db, clock=now)
    other.adopt([FAST], {})
    for _ in range(20):
        assert await one.spend(ONE) is None
        assert await other.spend(ONE) is None
    await one.close()
    await other.close()
    async with transaction(db) as tx:
        stock, ahead = (
            await tx.fetchval("SELECT used FROM budgets WHERE destination = 'crm'"),
            await tx.fetchval("SELECT earned_at - now() FROM budgets WHERE destination = 'fast'"),
        )
    assert (20, True) == (stock, ahead < timedelta(milliseconds=30))


async def test_an_exceeded_limit_rests_for_all_processes(db: Pool) -> None:
    one, other = budget(db, FAST), budget(db, FAST)
    assert await one.spend(ONE) is None
    one.rest("requests", timedelta(seconds=5))
    wait = await one.spend(ONE)
    assert wait is not None
    assert timedelta(seconds=4) < wait <= timedelta(seconds=5)
    await until_row(db, "rests_until > now()")
    wait = await other.spend(ONE)
    assert wait is not None
    assert timedelta(seconds=3) < wait <= timedelta(seconds=5)


async def until_row(db: Pool, condition: str) -> None:
    async with asyncio.timeout(5):
        while not (await row(db, f"COALESCE({condition}, false)"))[0]:
            await asyncio.sleep(0.02)


async def test_what_the_vendor_says_of_a_stock_is_shared(db: Pool) -> None:
    one, other = budget(db, DAILY), budget(db, DAILY)
    assert await one.spend(ONE) is None
    resets = now() + timedelta(hours=3)
    one.learn([Hint("requests", remaining=5, ceiling=2000, resets_at=resets)])
    await until_row(db, "ceiling = 2000 AND used = 1995")
    wait = await other.spend(ONE)
    assert wait is not None
    assert timedelta(hours=2, minutes=59) < wait <= timedelta(hours=3)


async def test_hints_are_not_written_one_by_one(db: Pool) -> None:
    one = budget(db, DAILY)
    assert await one.spend(ONE) is None
    async with transaction(db) as tx:
        await tx.execute(COUNTING)
    for left in range(900, 100, -1):
        one.learn([Hint("requests", remaining=left)])
    await until_row(db, "used >= 800")
    async with transaction(db) as tx:
        assert 1 == await tx.fetchval("SELECT count(*) FROM written")


async def test_a_bucket_that_others_drain_is_not_overdrawn(db: Pool) -> None:
    limit = Limit("requests", 1, SECOND, burst=50, leaky=True)
    one, other = budget(db, limit), budget(db, limit)
    assert await one.spend(ONE) is None
    one.learn([Hint("requests", remaining=0)])
    await until_row(db, "earned_at > now() + interval '40 seconds'")
    wait = await other.spend(ONE)
    assert wait is not None or await other.ready(live=False) > 0


async def test_without_limits_nothing_is_asked_of_the_database(db: Pool) -> None:
    one = budget(db)
    await db.close()
    assert 0.0 == await one.ready(live=True)
    assert await one.spend(ONE) is None
    one.learn([Hint("requests", remaining=0)])
    one.rest(None, timedelta(seconds=5))
    assert 2.0 == await one.ready(live=False)
    wait = await one.spend(ONE)
    assert wait is not None
    assert timedelta(seconds=4) < wait <= timedelta(seconds=5)
    await one.close()


async def test_the_configuration_overrides_what_the_adapter_states(db: Pool) -> None:
    one = budget(db, FAST, requests=LimitRule(count=1, period=timedelta(minutes=1)))
    assert await one.spend(ONE) is None
    assert await one.spend(ONE) is not None
    (known,) = await budgets.of(db, ["crm"])
    assert (1, timedelta(minutes=1)) == (known["count"], known["period"])


async def test_a_call_pays_every_limit_it_names(db: Pool) -> None:
    search = Limit("search", 1, timedelta(minutes=1))
    one = budget(db, FAST, search)
    costs = {"requests": 1.0, "search": 1.0, "unknown": 9.0}
    assert await one.spend(costs) is None
    wait = await one.spend(costs)
    assert wait is not None
    assert wait > timedelta(seconds=50)
    assert await one.spend(ONE) is None


async def test_what_cannot_pay_a_limit_that_was_not_foreseen_does_not_come_at_once_again(
    db: Pool,
) -> None:
    one = budget(db, FAST, Limit("search", 1, timedelta(minutes=1)))
    assert 0.0 == await one.ready(live=False)
    assert await one.spend({"search": 1.0}) is None
    assert await one.spend({"search": 1.0}) is not None
    assert 0.8 < await one.ready(live=False) <= 1.0
    assert 0.0 == await one.ready(live=True)


async def test_an_absent_database_is_waited_for(database: str) -> None:
    async with pool.opened(database, size=1) as db:
        one = budget(db, FAST)
        await db.close()
        assert timedelta(seconds=1) == await one.spend(ONE)
        assert 0.0 < await one.ready(live=False) <= 2.0


async def test_who_has_read_gets_to_write_where_calls_lie_seconds_apart(db: Pool) -> None:
    """A sync that must be read first would else spend all there is on reading, for ever."""
    spender = budget(db, Limit("requests", 25, timedelta(seconds=30)))
    until, written = time.monotonic() + 20, 0

    async def rounds() -> None:
        nonlocal written
        while time.monotonic() < until and written < 2:
            if pause := await spender.ready(live=False):
                await asyncio.sleep(pause)
            elif await spender.spend(ONE) is None:
                written += await spender.spend(ONE) is None

    await asyncio.gather(*(rounds() for _ in range(3)))
    assert written >= 2


async def test_a_limit_that_rests_is_foreseen_for_those_calls_that_spend_it(db: Pool) -> None:
    one = budget(db, FAST, Limit("search", 1, timedelta(minutes=1)))
    search = {"requests": 1.0, "search": 1.0}
    bill = one.open_bill()
    assert 0.0 == await one.ready(live=False, calls=[search])
    assert await one.spend(search) is None
    assert [search] == bill
    assert 0.0 < await one.ready(live=False, calls=[{"requests": 1.0}, search])
    assert 0.0 == await one.ready(live=False)
