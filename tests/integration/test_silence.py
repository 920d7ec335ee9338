"""Sources that stop speaking, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from service.domain import rhythm
from service.domain.rhythm import Rhythm, Rule
from service.ops import silence
from service.settings import Source
from service.store import ids, partitions, pool, rhythms
from service.store.pool import Pool
from tests import rows

pytestmark = pytest.mark.postgres

HOUR = 3600.0
TWO_HOURS: dict[str, Rule] = {"shop": 2 * HOUR}


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=3) as opened:
        await partitions.ensure(opened)
        yield opened


async def now(db: Pool) -> float:
    async with pool.session(db) as connection:
        return float(await connection.fetchval("SELECT extract(epoch FROM now())::float8"))


async def request(db: Pool, *, ago: float = 0.0, source: str = "shop") -> float:
    """A request that came so many seconds ago; its id is as old."""
    at = datetime.fromtimestamp(await now(db) - ago, UTC)
    async with pool.session(db) as connection:
        made = ids.first_id(at).int + (0x7 << 76) + ids.new_id().int % 2**62
        await rows.request(connection, id=UUID(int=made), source=source, received_at=at)
    return at.timestamp()


async def keep(db: Pool, name: str = "shop", *, looked: float = 30.0, **known: Any) -> Rhythm:
    """What was learnt of a source by the last look, so many seconds ago."""
    at = await now(db)
    made = replace(
        rhythm.begin(at - 100 * HOUR), looked=at - looked, heard=at - 3 * HOUR, sounds=9, **known
    )
    async with pool.transaction(db) as tx:
        await rhythms.save(tx, {name: made})
        await tx.execute("UPDATE rhythms SET updated_at = now() - $1::interval",
                         timedelta(seconds=looked))  # fmt: skip
    return made


async def alarms(db: Pool) -> list[tuple[str, str, bool]]:
    async with pool.session(db) as connection:
        found = await connection.fetch(
            "SELECT kind, source, ended_at IS NULL AS open FROM anomalies ORDER BY id"
        )
    return [tuple(row) for row in found]


def sample(name: str, source: str = "shop") -> float | None:
    return REGISTRY.get_sample_value(f"orderhook_{name}", {"source": source})


async def test_an_alarm_begins_once_and_ends_when_the_source_speaks_again(db: Pool) -> None:
    await keep(db)
    for _ in range(2):
        await silence.look(db, TWO_HOURS)
        assert [("silence", "shop", True)] == await alarms(db)
    heard = await request(db)
    await silence.look(db, TWO_HOURS)
    assert [("silence", "shop", False)] == await alarms(db)
    told = (await silence.told(db, ["shop"]))["shop"]
    assert datetime.fromtimestamp(heard, UTC) == told["last_heard"]
    assert told["silent_since"] is None


async def test_the_gauges_and_the_api_say_who_is_silent_since_when(db: Pool) -> None:
    known = await keep(db, usual=300.0)
    await silence.look(db, TWO_HOURS)
    await silence.show(db, ["shop", "bank"])
    assert (1, 300.0) == (sample("source_silent"), sample("source_usual_gap_seconds"))
    assert known.heard == sample("source_heard_timestamp_seconds")
    assert sample("source_silent", "bank") is None
    assert known.heard is not None
    assert {
        "shop": {
            "last_heard": datetime.fromtimestamp(known.heard, UTC),
            "usual_gap_seconds": 300.0,
            "silent_since": datetime.fromtimestamp(known.heard, UTC),
        }
    } == await silence.told(db, ["shop", "bank"])
    async with pool.session(db) as connection:
        detail = await connection.fetchval("SELECT detail FROM anomalies")
    assert "3 h ago. Usually a request comes every 5 min." in detail
    await silence.show(db, [])
    assert sample("source_silent") is None


async def test_each_request_is_heard_once_however_often_one_looks(db: Pool) -> None:
    await keep(db)
    await request(db, ago=20)
    last = await request(db, ago=10)
    for _ in range(3):
        await silence.look(db, TWO_HOURS)
    async with pool.transaction(db) as tx:
        kept = (await rhythms.read(tx, ["shop"]))["shop"].rhythm
    assert last == kept.heard
    assert kept.sounds in {10, 11}  # two requests, in one minute or two


async def test_a_request_that_shows_up_late_is_heard(db: Pool) -> None:
    """A slow commit, or a gateway whose clock is behind."""
    await keep(db, looked=1.0)
    late = await request(db, ago=40)
    await silence.look(db, TWO_HOURS)
    async with pool.transaction(db) as tx:
        assert late == (await rhythms.read(tx, ["shop"]))["shop"].rhythm.heard


async def test_more_requests_than_one_statement_reads_are_all_heard(db: Pool) -> None:
    await keep(db)
    for ago in range(20, 0, -1):
        await request(db, ago=ago, source="shop" if ago > 1 else "bank")
    turn = rhythms.Turn(await now(db), await now(db) - 30)
    async with pool.transaction(db) as tx:
        found = [each async for each in rhythms.news(tx, turn, at_once=3)]
    assert 20 == sum(sound.requests for _, sound in found)
    assert {"shop", "bank"} == {name for name, _ in found}


async def test_only_one_process_looks_at_a_time(db: Pool) -> None:
    await keep(db)
    async with pool.transaction(db) as tx:
        assert await rhythms.take_turn(tx) is not None
        await silence.look(db, TWO_HOURS)
        assert [] == await alarms(db)
    await silence.look(db, TWO_HOURS)
    assert 1 == len(await alarms(db))


async def test_what_nobody_looked_at_is_nobodys_silence(db: Pool) -> None:
    await keep(db, looked=HOUR)
    await silence.look(db, TWO_HOURS)
    assert [] == await alarms(db)


async def test_alarms_about_sources_that_are_gone_or_off_end(db: Pool) -> None:
    await keep(db)
    gone_or_off: list[dict[str, Rule]] = [{}, {"shop": "off"}]
    for rules in gone_or_off:
        await silence.look(db, TWO_HOURS)
        assert ("silence", "shop", True) == (await alarms(db))[-1]
        await silence.look(db, rules)
        assert ("silence", "shop", False) == (await alarms(db))[-1]


async def test_a_new_source_is_watched_from_the_first_look_on(db: Pool) -> None:
    await silence.look(db, {"shop": 60.0, "bank": "auto"})
    assert [] == await alarms(db)
    assert {"shop", "bank"} == (await silence.told(db, ["shop", "bank"])).keys()
    assert [None, None] == [
        each["last_heard"] for each in (await silence.told(db, ["shop", "bank"])).values()
    ]


async def test_plans_walk_indexes(db: Pool) -> None:
    first = ids.first_id(datetime.now(UTC))
    async with pool.session(db) as connection:
        await connection.execute("SET enable_seqscan = off")
        sql = rhythms.SQL
        plans = [
            await connection.fetch(f"EXPLAIN {sql['bound']}", first, 1000),
            await connection.fetch(f"EXPLAIN {sql['news']}", first, None, 0.0),
            await connection.fetch(f"EXPLAIN {sql['all']}", ["shop"]),
        ]
    for plan in plans:
        text = "\n".join(row[0] for row in plan)
        assert "Index" in text
        assert "Seq Scan" not in text


def test_a_source_says_its_rule() -> None:
    made = {
        name: Source(name=name, provider="stripe", silence=said)  # type: ignore[arg-type]
        for name, said in (("a", "auto"), ("b", "off"), ("c", "2h"))
    }
    assert {"a": "auto", "b": "off", "c": 2 * HOUR} == silence.rules(made)
