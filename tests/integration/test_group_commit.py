"""Group commit on a real PostgreSQL: each waiter learns its own fate, nothing is stored twice."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

import pytest

from service.domain.errors import StoreUnavailable
from service.domain.events import Event, Fate, Statement
from service.intake.group_commit import GroupCommit, Receipt
from service.store import acceptance, outbox, partitions, pool
from service.store.acceptance import Arrival
from service.store.ids import new_id
from service.store.pool import Connection, Pool

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PARAMETERS = 36
"""Of the statement that accepts."""


@dataclass
class Alone:
    """A pool that always lends the same connection."""

    connection: Connection

    @asynccontextmanager
    async def acquire(self, **_: object) -> AsyncIterator[Connection]:
        yield self.connection


class Hands:
    """A hand-off that can be closed and remembers what it was given."""

    def __init__(self, *, open_: bool) -> None:
        self.open = open_
        self.sent: list[UUID] = []
        self.released = 0

    def reserve(self) -> bool:
        return self.open

    def send(self, event_ids: Sequence[UUID], published_at: datetime) -> None:
        self.sent += event_ids

    def release(self) -> None:
        self.released += 1


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        await partitions.ensure(opened)
        yield opened


def arrival(*keys: str, source: str = "shop", **said: object) -> Arrival:
    events = [
        Event(new_id(), source, Statement(dedupe_key=key, ref="1001", **said), NOW)  # type: ignore[arg-type]
        for key in keys
    ]
    return Arrival(
        id=new_id(),
        source=source,
        received_at=NOW,
        peer="127.0.0.1",
        method="POST",
        path="/webhooks/shop",
        query="",
        headers={"content-type": "application/json"},
        body=b"{}",
        events=events,
    )


async def submit_all(
    db: Pool, arrivals: Sequence[Arrival], *, hands: Hands | None = None
) -> list[Receipt | BaseException]:
    commits = GroupCommit(db, hands or Hands(open_=False), process=new_id(), lease=outbox.LEASE)
    stop = asyncio.Event()
    waiting = [asyncio.ensure_future(commits.submit(one)) for one in arrivals]
    writers = [asyncio.ensure_future(commits.run(stop)) for _ in range(2)]
    receipts = await asyncio.gather(*waiting, return_exceptions=True)
    stop.set()
    await asyncio.gather(*writers)
    return receipts


async def count(db: Pool, table: str) -> int:
    async with pool.session(db) as connection:
        return int(await connection.fetchval(f"SELECT count(*) FROM {table}"))


async def test_a_new_request_is_stored_with_its_events_and_owed(db: Pool) -> None:
    assert await submit_all(db, [arrival("a", "b")]) == [Receipt(events=2, duplicates=0)]
    counts = [await count(db, name) for name in ("requests", "events", "outbox", "dedupe_keys")]
    assert counts == [1, 2, 2, 2]


async def test_the_same_event_five_times_is_stored_once(db: Pool) -> None:
    receipts = await submit_all(db, [arrival("a") for _ in range(5)])
    assert sorted(receipt.duplicates for receipt in receipts if isinstance(receipt, Receipt)) == [
        0,
        1,
        1,
        1,
        1,
    ]
    assert [await count(db, name) for name in ("requests", "events", "outbox")] == [1, 1, 1]


async def test_a_request_with_one_new_event_among_known_ones_is_kept(db: Pool) -> None:
    await submit_all(db, [arrival("a")])
    assert await submit_all(db, [arrival("a", "b")]) == [Receipt(events=2, duplicates=1)]
    assert [await count(db, name) for name in ("requests", "events")] == [2, 2]


async def test_a_repeated_key_inside_one_request_counts_as_a_duplicate(db: Pool) -> None:
    assert await submit_all(db, [arrival("a", "a")]) == [Receipt(events=2, duplicates=1)]
    assert [await count(db, name) for name in ("requests", "events")] == [1, 1]


async def test_equal_keys_of_two_sources_are_two_events(db: Pool) -> None:
    await submit_all(db, [arrival("a", source="one"), arrival("a", source="two")])
    assert await count(db, "events") == 2


async def test_a_genuine_request_without_events_is_kept(db: Pool) -> None:
    assert await submit_all(db, [arrival()]) == [Receipt(events=0, duplicates=0)]
    assert await count(db, "requests") == 1


async def test_a_value_postgresql_refuses_is_found_and_the_others_are_stored(db: Pool) -> None:
    """The culprit is kept as raw bytes and one unreadable event; nobody else notices."""
    receipts = await submit_all(
        db, [arrival(f"k{n}") for n in range(20)] + [arrival("bad", code="nul\0byte")]
    )
    assert receipts == [Receipt(events=1, duplicates=0)] * 21
    async with pool.session(db) as connection:
        fates = await connection.fetch("SELECT fate, count(*) FROM events GROUP BY 1 ORDER BY 1")
    assert [tuple(row) for row in fates] == [("fold", 20), ("unreadable", 1)]


async def test_duplicates_are_tallied_by_source(db: Pool) -> None:
    await submit_all(db, [arrival("a"), arrival("a"), arrival("a", source="other")])
    await submit_all(db, [arrival("a")])
    async with pool.session(db) as connection:
        rows = await connection.fetch(
            "SELECT source, sum(duplicates)::int FROM request_tallies GROUP BY 1"
        )
    assert [tuple(row) for row in rows] == [("shop", 2)]


async def test_with_the_fast_path_open_entries_count_as_published(db: Pool) -> None:
    hands = Hands(open_=True)
    await submit_all(db, [arrival("a"), arrival("a")], hands=hands)
    assert len(hands.sent) == 1
    async with pool.session(db) as connection:
        owed = await connection.fetchrow(
            "SELECT published_at IS NOT NULL AS published, due_at > now() AS later FROM outbox"
        )
    assert owed is not None
    assert tuple(owed) == (True, True)


async def test_without_postgresql_every_waiter_is_told_and_the_reservation_returns(
    db: Pool,
) -> None:
    hands = Hands(open_=True)
    await db.close()
    receipts = await submit_all(db, [arrival("a"), arrival("b")], hands=hands)
    assert [type(receipt) for receipt in receipts] == [StoreUnavailable, StoreUnavailable]
    assert hands.released >= 1
    assert hands.sent == []


async def test_one_plan_serves_every_batch_and_opens_no_partition_for_reading(db: Pool) -> None:
    """Planned anew, or with all days opened, a small batch would cost several times more."""
    process = new_id()
    async with db.acquire() as connection:
        alone = Alone(connection)
        for size in (1, 1, 1, 1, 1, 40, 1, 2):
            batch = [arrival(str(new_id())) for _ in range(size)]
            await acceptance.accept(
                alone,  # type: ignore[arg-type]
                batch,
                process=process,
                published=True,
                lease=outbox.LEASE,
            )
        plans = await connection.fetchrow(
            "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement = $1",
            acceptance.SQL["accept"],
        )
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        await connection.execute(f"PREPARE accept AS {acceptance.SQL['accept']}")
        nothing = ", ".join(["NULL"] * PARAMETERS)
        lines = await connection.fetch(f"EXPLAIN EXECUTE accept({nothing})")
    assert plans is not None
    assert (3, 5) == tuple(plans)
    scans = [line[0] for line in lines if "Scan" in line[0]]
    assert scans
    assert [] == [scan for scan in scans if not re.search(r"(CTE|Function|Subquery) Scan", scan)]


@pytest.mark.parametrize("count", [1, 2], ids=["alone", "beside the usual"])
async def test_the_unusual_is_stored_as_it_was_said(db: Pool, count: int) -> None:
    said = {"scope": "eu", "parcel": "p-1", "note": "So.", "fate": Fate.UNMAPPED, "reason": "Why."}
    batch = [
        arrival("odd", attributes={"amount": "1"}, **said),
        replace(arrival("usual"), path="", headers={}),
    ]
    await submit_all(db, batch[:count])
    kept = """
        SELECT e.dedupe_key, e.scope, e.parcel, e.note, e.fate, e.attributes, e.details,
               r.path, r.headers
        FROM events e JOIN requests r ON r.id = e.request_id ORDER BY e.dedupe_key
    """
    async with pool.session(db) as connection:
        found = [tuple(row) for row in await connection.fetch(kept)]
    odd = ("odd", "eu", "p-1", "So.", "unmapped", {"amount": "1"}, {"reason": "Why."})
    usual: tuple[object, ...] = ("usual", "", None, "", "fold", {}, {}, "", {})
    assert [
        (*odd, "/webhooks/shop", {"content-type": "application/json"}),
        usual,
    ][:count] == found
