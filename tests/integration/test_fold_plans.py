"""What a fold and a call cost: few round trips whatever they hold, each to rows by an index."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from service.domain.events import Event, Fate, Lookup, Revocation
from service.domain.verdict import DeadLetter, Reason
from service.store import events, owed_lookups, pool, syncs
from service.store.ids import new_id
from tests import make
from tests.folding import Desk, Watched, courier, desk, shop

pytestmark = pytest.mark.postgres

BATCH = 200
CROWD, FEW = 100_000, 10_000
FULL_SCAN = r"Seq Scan on (\w+)\b(?! .*cost=0\.00\.\.0\.00)"
"""Of a table that holds anything: days to come have empty partitions already."""
LEASE = timedelta(minutes=5)
OF_REFS = """
    WHERE subject_id = ANY(ARRAY(
        SELECT s.id FROM unnest($1::text[]) AS r (ref)
        CROSS JOIN LATERAL (SELECT id FROM subjects
                            WHERE lifecycle = 'order' AND scope = '' AND ref = r.ref LIMIT 1) AS s))
"""
DUE = f"UPDATE syncs SET lease_owner = NULL, due_at = now() {OF_REFS}"
NOT_DUE = f"UPDATE syncs SET due_at = NULL {OF_REFS}"
SUPERSEDED = "SELECT count(*) FROM dead_letters WHERE resolution = 'superseded'"
TOSSED = "dead_letters_open"
"""Before their first analysis all partial indexes are taken to be empty, so that of two that fit
either is taken. One of open letters by kind fits wherever one by event or subject does."""
READ = ("events", "aliases", "waiting", "subjects", "outbox", "adoptions")


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


@dataclass
class Log:
    """The statements of each transaction, without its brackets."""

    transactions: list[list[tuple[str, Sequence[object]]]] = field(default_factory=list)
    _within: bool = False

    def note(self, _: object, query: str, values: Sequence[object]) -> None:
        if query.startswith("BEGIN"):
            self.transactions.append([])
            self._within = True
        elif query.startswith(("COMMIT", "ROLLBACK")):
            self._within = False
        elif self._within:
            self.transactions[-1].append((query, values))


async def everything(order: Desk) -> list[Event]:
    """A batch of all that there is, on subjects that all have a past."""
    await order.happen(*(courier(f"w{n}") for n in range(10)))
    before = [shop(f"o{n}", f"t{n}", occurred_at=make.at(30)) for n in range(40)]
    await order.worker().fold(await order.accept(*before))
    key, other = (before[number].statement.dedupe_key for number in (7, 8))
    return [
        *(shop(f"o{n}", status="refunded", occurred_at=make.at(40)) for n in range(40)),
        *(shop(f"o{n}", status="awaiting_payment", occurred_at=make.at(0)) for n in range(30)),
        *(shop(f"new{n}", f"w{n % 20}", f"n{n}") for n in range(40)),
        *(courier(f"t{n}", occurred_at=make.at(n)) for n in range(40)),
        *(courier(f"nobody{n}") for n in range(20)),
        shop("o7", status=None, lane=None, revokes=Revocation("shop", key)),
        shop("o9", "t8", source="wms"),
        *(make.event(id=new_id(), fate=fate, note="So.", ref=None) for fate in list(Fate)[1:]),
        make.event(
            id=new_id(), ref=None, lane=None, status=None, revokes=Revocation("shop", other)
        ),
        *(make.event(id=new_id(), fate=Fate.IGNORED, note="So.") for _ in range(22)),
    ]


async def test_a_batch_of_everything_takes_five_round_trips(order: Desk) -> None:
    events = await everything(order)
    assert BATCH == len(events)
    ids, log = await order.accept(*events), Log()
    await order.worker(Watched(order.db, log.note)).fold(ids)
    assert [5] == [len(each) for each in log.transactions]
    await order.settle()
    totals = await order.outcomes()
    assert totals["accepted"] == sum(totals.values()) / 2


async def test_what_is_in_order_takes_three(order: Desk) -> None:
    await order.happen(shop("1001", "123"))
    ids, log = await order.accept(courier("123"), shop("2")), Log()
    await order.worker(Watched(order.db, log.note)).fold(ids)
    assert [3] == [len(each) for each in log.transactions]


async def test_every_statement_finds_its_rows_by_an_index(order: Desk) -> None:
    events = await everything(order)
    ids, log = await order.accept(*events), Log()
    await _crowd(order)
    await order.worker(Watched(order.db, log.note)).fold(ids)
    statements = log.transactions[-1]
    for query, values in statements:
        async with pool.transaction(order.db) as tx:
            once = await tx.fetch(f"EXPLAIN {query}", *values)
            # What a worker goes by: made once, whatever the lists hold.
            steady = await tx.fetch(f"EXPLAIN (GENERIC_PLAN) {query}", *values)
        for plan in ("\n".join(row[0] for row in rows) for rows in (once, steady)):
            scanned = set(re.findall(FULL_SCAN, plan))
            slow = {name for name in scanned if name.startswith(READ)}
            assert not slow, plan


async def test_a_plan_made_while_there_was_little_reads_no_table_whole(database: str) -> None:
    """The first batch is planned on empty tables, and so is the next: nothing told of the crowd."""
    async with desk(database, size=1, settings=pool.STEADY) as order:
        await _day(order, "a")
        async with desk(database) as other:
            await _crowd(other, size=FEW, analyse=False)
        before = await _read(order)
        await _day(order, "b")
        after = await _read(order)
        assert 2 == await order.one(SUPERSEDED)
    most = {name: read - before.get(name, 0) for name, read in after.items()}
    del most[TOSSED]
    assert {} == {name: read for name, read in most.items() if read > FEW / 10}


async def _day(order: Desk, name: str) -> None:
    """Names are learned and taken back, some wait, and every order is called about, one in vain."""
    known = shop(f"{name}1", f"{name}T")
    pointer = Lookup("payment", name)
    await order.happen(
        known,
        courier(f"{name}T"),
        courier(f"{name}W"),
        shop(f"{name}2", f"{name}W"),
        shop(f"{name}2", status="awaiting_payment", occurred_at=make.at(0)),
        shop(f"{name}3"),
        shop(
            f"{name}1",
            status=None,
            lane=None,
            revokes=Revocation("shop", known.statement.dedupe_key),
        ),
        make.event(id=new_id(), fate=Fate.LOOK_UP, lookup=pointer, ref=None),
    )
    refs = [f"{name}{number}" for number in (1, 2, 3)]
    await order.one(DUE, refs)
    async with pool.transaction(order.db) as tx:
        leases = await syncs.claim(tx, "crm", limit=100, lease=LEASE)
        assert 3 == len(leases)
        owed = await syncs.load(tx, leases, destination="crm")
        intents = [syncs.Intent(one.lease, one.version, b"", "", [{}]) for one in owed]
        assert 3 == len(await syncs.intend(tx, intents, lease=LEASE, destination="crm"))
        assert 3 == len(await syncs.renew(tx, leases, lease=LEASE, destination="crm"))
        shown, left, free = owed
        await syncs.doubt(tx, {free.lease.subject_id: {}}, destination="crm")
        await syncs.release(tx, [free.lease], destination="crm")
        settled = syncs.Settled(shown.lease, shown.version, shown.status)
        assert 1 == len(await syncs.settle(tx, [settled], life=LEASE, destination="crm"))
        letter = DeadLetter(Reason.REFUSED, "No.")
        dead = syncs.Left(left.lease, left.version, "dead", error="No.", letter=letter)
        assert 1 == len(await syncs.leave(tx, [dead], destination="crm"))
        assert {known.id} == (await events.requests(tx, [known.id])).keys()
        [pointed] = await owed_lookups.claim(tx, limit=100, lease=LEASE)
        assert pointer == pointed.lookup
    await order.one(NOT_DUE, refs)
    await order.happen(shop(left.subject.ref, status="refunded", occurred_at=make.at(9)))


async def _read(order: Desk) -> dict[str, int]:
    """How many rows or index entries of each table were ever read; of all days together."""
    await order.one("SELECT pg_stat_force_next_flush()")
    found = await order.table(
        """
        SELECT regexp_replace(relname, '_(20\\d+|default|\\d)$', ''), sum(read)::bigint
        FROM (SELECT relname, seq_tup_read AS read FROM pg_stat_user_tables
              UNION ALL SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes) AS said
        GROUP BY 1
        """
    )
    return dict(found)


async def _crowd(order: Desk, *, size: int = CROWD, analyse: bool = True) -> None:
    """Much that has nothing to do with the batch."""
    async with pool.transaction(order.db) as tx:
        await tx.execute(
            f"""
            CREATE TEMP TABLE crowd ON COMMIT DROP AS
            SELECT gen_random_uuid() AS id, n FROM generate_series(1, {size}) AS n;
            UPDATE crowd SET id = (substr((SELECT max(id::text) FROM events), 1, 13)
                                   || substr(id::text, 14))::uuid;
            INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane,
                                status, code, occurred_at, received_at, attributes, fate, note)
            SELECT id, id, 'shop', n::text, 'order', '', 'c' || n, 'payment', 'paid', '', now(),
                   now(), '{{}}', 'fold', '' FROM crowd;
            INSERT INTO outbox (event_id, due_at) SELECT id, now() + interval '1 h' FROM crowd;
            INSERT INTO subjects (lifecycle, scope, ref) SELECT 'order', '', 'c' || n FROM crowd;
            INSERT INTO syncs (subject_id, destination, desired_version, due_at, state)
            SELECT id, 'crm', 1, now() + interval '1 h', 'pending' FROM subjects
            ON CONFLICT DO NOTHING;
            INSERT INTO transitions (id, subject_id, version, previous, status, lanes, event_ids)
            SELECT crowd.id, s.id, 1, '', 'paid', '{{}}', ARRAY[crowd.id]
            FROM crowd JOIN subjects s ON s.ref = 'c' || n;
            INSERT INTO dead_letters (id, kind, event_id, reason, summary)
            SELECT id, 'event', id, 'unresolved_subject', '' FROM crowd;
            INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary)
            SELECT gen_random_uuid(), 'sync', id, 'crm', 'refused', ''
            FROM subjects WHERE ref LIKE 'c%';
            INSERT INTO owed_lookups (event_id, source, due_at)
            SELECT id, 'shop', now() + interval '1 h' FROM crowd;
            INSERT INTO aliases (lifecycle, type, value, subject_id, kind, claimant)
            SELECT lifecycle, 'tracking:cdek', ref, id, 'source', 'shop' FROM subjects;
            INSERT INTO waiting (event_id, lifecycle, type, value, deadline_at)
            SELECT id, 'order', 'tracking:cdek', 'x' || n, now() + interval '1 d' FROM crowd;
            INSERT INTO adoptions (event_id, subject_id) SELECT id, n FROM crowd;
            INSERT INTO event_outcomes (event_id, outcome, reason)
            SELECT id, 'applied', '' FROM crowd;
            """,
            timeout=120,
        )
        if analyse:
            await tx.execute("ANALYZE")
