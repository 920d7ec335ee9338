"""What a claim of the relay takes while somebody holds an hour-old snapshot open.

Entries are owed, claimed and finished in turns, as a relay and its workers do, and each claim is
timed. Then a reader opens a snapshot and forgets it, the dead rows of an hour are left behind, and
the same is timed again: nothing that died since may be cleaned up.
"""

import argparse
import asyncio
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import uvloop

from service.broker.topology import Topology
from service.broker.window import Window
from service.store import outbox, pool
from service.store.pool import Pool, transaction
from tests.bench import installation, record
from tests.bench.installation import Installation
from tests.bench.record import Record

SECONDS, AN_HOUR, PART = 70.0, 3_600_000, 100_000
"""A turn is longer than the relay waits between two readings of its whole index."""
OWED = 50
"""Entries that fall due between two claims."""
PAUSE = 0.02
ID = """
(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0') || '7'
 || substr(md5(n::text), 1, 3) || '8' || lpad(to_hex(n), 15, '0'))::uuid
"""
OWE = f"""
INSERT INTO outbox (event_id, due_at)
SELECT {ID}, now() FROM generate_series($1::bigint, $2) AS n
"""
PAST = f"""
WITH made AS (
    INSERT INTO outbox (event_id, due_at, published_at)
    SELECT {ID}, now() - $3::interval, now() - $3::interval
    FROM generate_series($1::bigint, $2) AS n
    RETURNING event_id
)
SELECT count(*) FROM made
"""
HOW = (
    "{each} entries due between two claims, {seconds:.0f} s a turn, a reading of the whole index"
    " once a minute included; {dead:,} dead rows that a snapshot keeps, spread over an hour"
)


class Relay:
    """The store's half of a relay and its workers: claim, then finish."""

    def __init__(self, db: Pool) -> None:
        self._db = db
        self._window = Window([Topology().work])
        self._number = 1 << 40

    async def turn(self, seconds: float) -> list[float]:
        """Milliseconds of every claim."""
        took, ends = [], time.monotonic() + seconds
        while time.monotonic() < ends:
            await self._owe()
            began = time.perf_counter()
            claimed = await self._claim()
            took.append((time.perf_counter() - began) * 1000)
            assert claimed, "Nothing was claimed though something is due."
            async with transaction(self._db) as tx:
                await outbox.finish(tx, [entry.event_id for entry in claimed])
            await asyncio.sleep(PAUSE)
        return took

    async def _owe(self) -> None:
        first, self._number = self._number, self._number + OWED
        async with transaction(self._db) as tx:
            await tx.execute(OWE, first, self._number - 1)

    async def _claim(self) -> list[outbox.Entry]:
        async with transaction(self._db) as tx:
            view = await self._window.look(tx)
            return await outbox.claim(tx, view.watermark, limit=view.room, passed=view.passed)


async def leave_behind(made: Installation, rows: int) -> None:
    """What an hour of claims and folds leaves: rows that were owed, handed over and finished."""
    async with made.session() as connection:
        for first in range(0, rows, PART):
            last = min(first + PART, rows)
            age = timedelta(hours=1) * (1 - first / rows)
            await connection.execute(PAST, first, last - 1, age, timeout=120)
            await connection.execute("DELETE FROM outbox", timeout=120)
        await connection.execute("VACUUM outbox", timeout=300)
        dead = await connection.fetchval(
            "SELECT n_dead_tup FROM pg_stat_user_tables WHERE relname = 'outbox'"
        )
    assert dead >= rows * 0.9, f"Only {dead} of {rows} dead rows were kept: no snapshot holds them."


async def forgotten(stack: AsyncExitStack, made: Installation) -> asyncpg.Connection:
    """A reader that began and never ends."""
    connection = await made.postgres.connect()
    stack.push_async_callback(connection.close, timeout=5)
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    await connection.fetchval("SELECT count(*) FROM outbox")
    return connection


def records(before: Sequence[float], after: Sequence[float], how: str) -> list[Record]:
    def p99(took: Sequence[float]) -> float:
        return statistics.quantiles(took, n=100)[98]

    details: dict[str, Any] = {
        "claims": len(after),
        "without_ms": {"p50": statistics.median(before), "p99": p99(before), "max": max(before)},
        "with_ms": {"p50": statistics.median(after), "p99": p99(after), "max": max(after)},
    }
    title = "claim beside an hour-old transaction, p99"
    return [
        Record(
            "claim.p99",
            title,
            "ms",
            [p99(after)],
            wanted="most",
            target=10.0,
            how=how,
            details=details,
        )
    ]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(installation.opened(rabbit=False))
        machine = await installation.machine(made)
        db = await stack.enter_async_context(pool.opened(made.dsn, size=2))
        before = await Relay(db).turn(words.seconds)
        old = await forgotten(stack, made)
        await leave_behind(made, words.rows)
        after = await Relay(db).turn(words.seconds)
        assert await old.fetchval("SELECT count(*) FROM outbox") == 0
    how = HOW.format(each=OWED, seconds=words.seconds, dead=words.rows)
    return records(before, after, how), machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure claims beside an old snapshot.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rows", type=int, default=AN_HOUR, help="dead rows; 1,000/s for an hour")
    return parser


def main() -> None:
    found, machine = uvloop.run(measured(options().parse_args()))
    print(f"\n{record.table(found)}\n{found[0].details}\n{machine}")


if __name__ == "__main__":
    main()
