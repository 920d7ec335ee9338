"""The outbox on a real PostgreSQL: what a claim sees, leaves alone, promises and costs."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from itertools import chain
from uuid import UUID

import orjson
import pytest

from service.store import outbox, pool, progress
from service.store.ids import new_id
from service.store.outbox import Watermark
from service.store.pool import Connection, Pool
from tests.owed import owe

pytestmark = pytest.mark.postgres

START = Watermark()


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=6) as opened:
        yield opened


@pytest.fixture
async def tx(store: Pool) -> AsyncIterator[Connection]:
    """Give a connection in auto-commit."""
    async with pool.session(store) as connection:
        yield connection


async def claim(
    tx: Connection,
    *,
    watermark: Watermark = START,
    limit: int = 100,
    passed: datetime | None = None,
) -> list[UUID]:
    entries = await outbox.claim(tx, watermark, limit=limit, passed=passed)
    return [entry.event_id for entry in entries]


async def unfinished(tx: Connection, *, cap: int = 100, passed: datetime | None = None) -> int:
    return (await outbox.survey(tx, START, cap=cap, passed=passed)).unfinished


async def moment(tx: Connection, seconds: float = 0.0) -> datetime:
    """Tell the database's time, so many seconds from now."""
    now: datetime = await tx.fetchval("SELECT now()")
    return now + timedelta(seconds=seconds)


async def row(tx: Connection, event_id: UUID) -> tuple[bool, float, int, bool]:
    """Whether it counts as published, seconds until it is due, crashes, solo."""
    found = await tx.fetchrow(
        """
        SELECT published_at IS NOT NULL AS published, crashes, solo,
               round(extract(epoch FROM due_at - now())) AS due
        FROM outbox WHERE event_id = $1
        """,
        event_id,
    )
    assert found is not None
    return found["published"], float(found["due"]), found["crashes"], found["solo"]


class TestClaim:
    async def test_takes_what_is_due_and_leases_it(self, tx: Connection) -> None:
        due, _later = await owe(tx, 3), await owe(tx, due=5)
        assert due == await claim(tx)
        assert (True, outbox.LEASE.total_seconds(), 0, False) == await row(tx, due[0])
        assert [] == await claim(tx)

    async def test_goes_by_priority_then_by_due_time(self, tx: Connection) -> None:
        backlog = await owe(tx, 2, priority=9, due=-50)
        young, old = await owe(tx, due=-1), await owe(tx, due=-20)
        high = await owe(tx, priority=1)
        assert high + old == await claim(tx, limit=2)
        assert young + backlog[:1] == await claim(tx, limit=2)

    async def test_leaves_a_published_entry_while_workers_have_not_passed_it(
        self, tx: Connection
    ) -> None:
        published = await owe(tx, due=-1, published=-11)
        assert [] == await claim(tx)
        assert [] == await claim(tx, passed=await moment(tx, -12))
        assert published == await claim(tx, passed=await moment(tx, -10))

    async def test_leaves_a_passed_entry_until_its_lease_ends(self, tx: Connection) -> None:
        await owe(tx, due=2, published=-8)
        assert [] == await claim(tx, passed=await moment(tx))

    async def test_two_claims_at_once_share_the_entries(self, store: Pool, tx: Connection) -> None:
        owed = await owe(tx, 40)
        async with pool.transaction(store) as one, pool.transaction(store) as other:
            first = await claim(one, limit=25)
            second = await claim(other, limit=25)
        assert sorted(owed) == sorted(first + second)
        assert (25, 15) == (len(first), len(second))

    async def test_many_writers_and_two_claimers_miss_and_repeat_nothing(self, store: Pool) -> None:
        """An id is drawn before its commit: whoever reads by "greater than the last" loses rows."""
        writing = asyncio.Event()

        async def write() -> list[UUID]:
            owed = []
            for _ in range(25):
                async with pool.transaction(store) as own:
                    owed += await owe(own, 2)
                    await asyncio.sleep(0)
            return owed

        async def drain() -> list[UUID]:
            watermark, seen = START, list[UUID]()
            while True:
                last = writing.is_set()
                async with pool.transaction(store) as own:
                    survey = await outbox.survey(own, watermark, cap=1, passed=None)
                    watermark = survey.watermark
                    found = await claim(own, watermark=watermark)
                seen += found
                if last and not found:
                    return seen

        claims = [asyncio.create_task(drain()) for _ in range(2)]
        owed = list(chain(*await asyncio.gather(*(write() for _ in range(4)))))
        writing.set()
        seen = list(chain(*await asyncio.gather(*claims)))
        assert sorted(owed) == sorted(seen)


class TestSurvey:
    async def test_counts_published_entries_up_to_the_cap_and_one(self, tx: Connection) -> None:
        await owe(tx, 3)
        await owe(tx, 4, due=10, published=0)
        assert 4 == await unfinished(tx)
        assert 3 == await unfinished(tx, cap=2)

    async def test_does_not_count_what_the_broker_lost(self, tx: Connection) -> None:
        """Else a wiped broker would leave the window full for ever, and nothing were redriven."""
        await owe(tx, 3, due=-1, published=-11)
        await owe(tx, 2, due=9, published=-1)
        assert 5 == await unfinished(tx)
        assert 2 == await unfinished(tx, passed=await moment(tx, -5))

    async def test_the_watermark_rises_to_the_oldest_living_entry(self, tx: Connection) -> None:
        await owe(tx, priority=9, due=-300)
        await owe(tx, due=-500, published=-400)
        seen = await outbox.survey(tx, START, cap=9, passed=None)
        assert [500, 400] == [
            round((seen.at - time).total_seconds())
            for time in (seen.watermark.due, seen.watermark.published)
            if time is not None
        ]

    async def test_the_watermark_trails_the_clock(self, tx: Connection) -> None:
        """A slow transaction may still commit an entry that was due when it began."""
        await owe(tx)
        seen = await outbox.survey(tx, START, cap=9, passed=None)
        assert Watermark(seen.at - outbox.TRAIL, seen.at - outbox.TRAIL) == seen.watermark
        assert 1 == len(await claim(tx, watermark=seen.watermark))

    async def test_an_unpublished_entry_of_long_ago_stays_above_the_watermark(
        self, tx: Connection
    ) -> None:
        backlog = await owe(tx, 3, due=-7200)
        seen = await outbox.survey(tx, START, cap=9, passed=None)
        assert backlog == await claim(tx, watermark=seen.watermark)


class TestAfterTheClaim:
    async def test_a_released_entry_is_soon_due_again(self, tx: Connection) -> None:
        [owed] = await owe(tx)
        async with tx.transaction():
            now = await moment(tx)
            await claim(tx)
        await outbox.release(tx, [owed], published_at=now)
        assert (False, outbox.RELEASED.total_seconds(), 0, False) == await row(tx, owed)

    async def test_a_release_leaves_a_later_publish_alone(self, tx: Connection) -> None:
        [owed] = await owe(tx, due=10, published=0)
        await outbox.release(tx, [owed], published_at=await moment(tx, -10))
        assert (True, 10.0, 0, False) == await row(tx, owed)

    async def test_a_release_does_not_wait_for_a_worker_that_folds_the_entry(
        self, store: Pool, tx: Connection
    ) -> None:
        [owed] = await owe(tx)
        now = await moment(tx)
        await tx.execute("UPDATE outbox SET published_at = $1", now)
        async with pool.transaction(store) as worker:
            await outbox.take(worker, [owed])
            await outbox.release(tx, [owed], published_at=now)
            await outbox.finish(worker, [owed])
        assert 0 == await tx.fetchval("SELECT count(*) FROM outbox")

    async def test_only_one_worker_takes_an_entry(self, store: Pool, tx: Connection) -> None:
        first, second = sorted(await owe(tx, 2))
        async with pool.transaction(store) as one, pool.transaction(store) as other:
            assert [first] == [e.event_id for e in await outbox.take(one, [first, new_id()])]
            assert [second] == [e.event_id for e in await outbox.take(other, [second, first])]
            await outbox.finish(one, [first])
        assert [second] == [e.event_id for e in await outbox.take(tx, [first, second])]

    async def test_a_claim_passes_by_what_a_worker_folds(self, store: Pool, tx: Connection) -> None:
        owed = await owe(tx, 2, due=-1, published=-20)
        async with pool.transaction(store) as worker:
            await outbox.take(worker, owed[:1])
            assert owed[1:] == await claim(tx, passed=await moment(tx))

    async def test_a_postponed_entry_is_owed_later(self, tx: Connection) -> None:
        [owed] = await owe(tx, published=-1, due=9)
        await outbox.postpone(tx, [owed], delay=timedelta(seconds=30), crashed=False)
        assert (False, 30.0, 0, False) == await row(tx, owed)

    async def test_an_entry_that_crashed_its_worker_travels_alone(self, tx: Connection) -> None:
        [owed] = await owe(tx, published=-1, due=9)
        await outbox.postpone(tx, [owed], delay=timedelta(0), crashed=True)
        assert (False, 0.0, 1, True) == await row(tx, owed)
        assert [True] == [e.solo for e in await outbox.claim(tx, START, limit=9, passed=None)]


class TestProgress:
    async def test_is_unknown_until_every_queue_was_reported(self, tx: Connection) -> None:
        assert await progress.read(tx, ["work"]) is None
        await progress.report(tx, "work", published_at=None)
        assert await progress.read(tx, ["work", "work.low"]) is None

    async def test_is_that_of_the_slowest_queue(self, tx: Connection) -> None:
        slow = await moment(tx, -9)
        await progress.report(tx, "work", published_at=None)
        await progress.report(tx, "work.low", published_at=slow)
        assert slow == await progress.read(tx, ["work", "work.low"])

    async def test_never_goes_back(self, tx: Connection) -> None:
        early, late = await moment(tx, -9), await moment(tx, -3)
        await progress.report(tx, "work", published_at=late)
        await progress.report(tx, "work", published_at=early)
        assert late == await progress.read(tx, ["work"])

    async def test_of_an_empty_queue_is_the_databases_time(self, tx: Connection) -> None:
        async with tx.transaction():
            await progress.report(tx, "work", published_at=None)
            assert await moment(tx) == await progress.read(tx, ["work"])

    async def test_a_forged_publish_time_cannot_run_ahead_of_the_clock(
        self, tx: Connection
    ) -> None:
        async with tx.transaction():
            await progress.report(tx, "work", published_at=await moment(tx, 86400))
            assert await moment(tx) == await progress.read(tx, ["work"])


def walk(plan: dict[str, object]) -> list[dict[str, object]]:
    below = plan.get("Plans", [])
    assert isinstance(below, list)
    return [plan, *chain(*(walk(each) for each in below))]


async def explain(tx: Connection, block: str, *arguments: object) -> list[dict[str, object]]:
    """Run a prepared block with its generic plan and return the nodes of that plan."""
    kinds: Sequence[object] = (await tx.prepare(outbox.SQL[block])).get_parameters()
    names = ", ".join(getattr(kind, "name", "") for kind in kinds)
    values = ", ".join(map(quoted, arguments))
    await tx.execute("SET plan_cache_mode = force_generic_plan")
    await tx.execute(f"PREPARE asked ({names}) AS {outbox.SQL[block]}")
    found = await tx.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT json) EXECUTE asked ({values})")
    await tx.execute("DEALLOCATE asked")
    await tx.execute("RESET plan_cache_mode")
    return walk(orjson.loads(found)[0]["Plan"])


def quoted(value: object) -> str:
    if isinstance(value, tuple):
        return f"'{{{','.join(map(str, value))}}}'"
    return "NULL" if value is None else f"'{value}'"


def indexes(nodes: Sequence[dict[str, object]]) -> set[object]:
    return {node["Index Name"] for node in nodes if "Index Name" in node}


def pages(nodes: Sequence[dict[str, object]]) -> int:
    hit, read = nodes[0]["Shared Hit Blocks"], nodes[0]["Shared Read Blocks"]
    assert isinstance(hit, int)
    assert isinstance(read, int)
    return hit + read


CLAIM = (None, None, 100, outbox.LEASE, outbox.PRIORITIES)


class TestPlans:
    async def test_a_claim_from_a_backlog_reads_only_what_it_takes(self, tx: Connection) -> None:
        await backlog(tx, 30_000)
        nodes = await explain(tx, "claim", *CLAIM)
        assert {"outbox_due", "outbox_pkey"} == indexes(nodes)
        assert "Seq Scan" not in {node["Node Type"] for node in nodes}
        assert pages(nodes) < 3000

    async def test_a_survey_of_a_backlog_uses_the_indexes(self, tx: Connection) -> None:
        await backlog(tx, 30_000)
        nodes = await explain(tx, "survey", None, None, None, 2001, outbox.TRAIL, outbox.PRIORITIES)
        assert {"outbox_due", "outbox_published"} == indexes(nodes)
        assert pages(nodes) < 100

    async def test_dead_rows_below_the_watermark_cost_nothing(self, database: str) -> None:
        """A long transaction elsewhere keeps the dead rows of a busy day from being vacuumed."""
        async with AsyncExitStack() as stack:
            store = await stack.enter_async_context(pool.opened(database, size=2))
            tx = await stack.enter_async_context(pool.session(store))
            await backlog(tx, 30_000)
            await tx.execute("UPDATE outbox SET published_at = due_at")
            old = await stack.enter_async_context(
                pool.transaction(store, isolation="repeatable_read")
            )
            await old.fetchval("SELECT count(*) FROM outbox")
            await tx.execute("DELETE FROM outbox")
            await owe(tx, 10)
            seen = await outbox.survey(tx, START, cap=9, passed=None)
            mark = seen.watermark
            nodes = await explain(tx, "claim", mark.due, *CLAIM[1:])
            assert pages(nodes) < 300
            survey = (mark.due, mark.published, None, 2001, outbox.TRAIL, outbox.PRIORITIES)
            assert pages(await explain(tx, "survey", *survey)) < 100


async def backlog(tx: Connection, count: int) -> None:
    await tx.execute(
        """
        INSERT INTO outbox (event_id, due_at)
        SELECT gen_random_uuid(), now() - interval '2 min' - number * interval '1 ms'
        FROM generate_series(1, $1) AS number
        """,
        count,
    )
    await tx.execute("ANALYZE outbox")
