"""A database such as a busy shop has after a month: made once by SQL, kept in a folder.

200 000 orders of eight stories, five events each; 100 000 open dead letters of six causes, as many
syncs as orders, and what people and senders leave behind. The ledger balances.
"""

import hashlib
import json
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import asyncpg

from service.domain import law, lifecycle
from service.domain.lifecycles.order import ORDER
from service.store import embedded, ids, migrate, partitions
from tests import make

ORDERS = 200_000
RECENT = 10_000
"""Orders of the last hour; the others are of the 30 days before."""
DAYS = 31
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"


class Said(NamedTuple):
    source: str
    lane: str
    status: str
    outcome: str
    """`dead` for what no status is known of."""


PAID = Said("psp", "payment", "paid", "applied")
PACKED = Said("wms", "fulfillment", "packed", "applied")
SHIPPED = Said("wms", "fulfillment", "shipped", "applied")
TRANSIT = Said("cdek", "delivery", "in_transit", "applied")
DELIVERED = Said("cdek", "delivery", "delivered", "applied")
CONFIRMED = Said("shop", "order", "confirmed", "applied")
AWAITING = Said("psp", "payment", "awaiting_payment", "applied")
FAILED = Said("psp", "payment", "failed", "applied")
UNKNOWN = Said("cdek", "", "", "dead")


def late(said: Said) -> Said:
    return said._replace(outcome="superseded")


STORIES: Sequence[tuple[int, Sequence[Said]]] = (
    (9, (PAID, PACKED, SHIPPED, TRANSIT, DELIVERED)),
    (2, (CONFIRMED, PAID, PACKED, SHIPPED, TRANSIT)),
    (1, (PAID, PACKED, SHIPPED, DELIVERED, PAID._replace(status="refunded"))),
    (1, (CONFIRMED, AWAITING, PAID, late(AWAITING), PACKED)),
    (1, (CONFIRMED, AWAITING, FAILED, late(AWAITING), late(AWAITING))),
    (1, (AWAITING, PACKED, SHIPPED, TRANSIT, late(SHIPPED))),
    (1, (CONFIRMED, AWAITING, PAID, late(AWAITING), late(CONFIRMED))),
    (4, (PAID, PACKED, SHIPPED, TRANSIT, UNKNOWN)),
)
"""How many of twenty orders go so. The sixth was shipped unpaid, the last one has a dead letter."""

SETTINGS = """
SET synchronous_commit = off; SET work_mem = '256MB'; SET maintenance_work_mem = '512MB';
SET session_replication_role = replica; SET jit = off
"""
FUNCTIONS = """
CREATE SCHEMA bench;
CREATE TABLE bench.story (number int, place int, source text, lane text, status text, outcome text);
CREATE TABLE bench.fate (number int, status text, version int, flags text[], state jsonb);
CREATE TABLE bench.begun AS SELECT now() AS at;
CREATE FUNCTION bench.id(at timestamptz, place bigint, k bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || lpad(to_hex(place), 3, '0') || '8' || lpad(to_hex(k), 15, '0'))::uuid
$$;
"""
DRAFT = f"""
CREATE UNLOGGED TABLE bench.draft AS
SELECT k, s.place, s.source, s.lane, s.status, s.outcome, at,
       bench.id(at, s.place, k) AS id, bench.id(at, s.place + 16, k) AS request_id
FROM (
    SELECT k, (ARRAY[{{numbers}}])[k % 20 + 1] AS story,
           CASE WHEN k > {ORDERS - RECENT}
                THEN at - (interval '58 minutes' * ({ORDERS} - k) / {RECENT}) - interval '1 minute'
                ELSE at - interval '10 hours' - (interval '{DAYS - 2} days'
                     * ({ORDERS - RECENT} - k) / {ORDERS - RECENT}) END AS begun,
           CASE WHEN k > {ORDERS - RECENT} THEN interval '10 seconds'
                ELSE interval '110 minutes' END AS step
    FROM bench.begun, generate_series(1, {ORDERS}) AS k
) AS orders
JOIN bench.story s ON s.number = orders.story
CROSS JOIN LATERAL (SELECT date_trunc('milliseconds', begun + (s.place - 1) * step) AS at) AS moment
ORDER BY at;
ANALYZE bench.draft
"""
REF = "'A-' || (1000000 + k)"
TRACKING = "(1400000000 + k)::text"
ROAD = (
    """
    INSERT INTO requests (id, source, received_at, peer, method, path, query, headers, body)
    SELECT request_id, source, at, '192.0.2.7', 'POST', '/webhooks/' || source, '',
           '{"content-type": "application/json", "user-agent": "sender/2.1",
             "x-signature": "t=1,v1=00112233445566778899aabbccddeeff"}',
           convert_to(format('{"id": "evt-%s-%s", "order": "A-%s", "state": %s, "total": "49.90", '
               || '"customer": "K. Brandt", "lines": [{"sku": "MUG-BLUE", "quantity": 2}, '
               || '{"sku": "TEA-GREEN-250", "quantity": 1}]}', k, place, 1000000 + k,
               to_json(status)), 'UTF8')
    FROM bench.draft
    """,
    f"""
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                        code, occurred_at, received_at, attributes, fate, note, details)
    SELECT id, request_id, source, 'evt-' || k || '-' || place, 'order', '', {REF},
           nullif(lane, ''), nullif(status, ''), upper(status), at - interval '1 second', at,
           '{{"amount": "49.90", "currency": "EUR"}}',
           CASE outcome WHEN 'dead' THEN 'unmapped' ELSE 'fold' END, '', '{{}}'
    FROM bench.draft
    """,
    """
    INSERT INTO event_outcomes (event_id, outcome, reason, decided_at)
    SELECT id, outcome, CASE outcome WHEN 'applied' THEN 'the lane was raised'
           ELSE 'a later word stands' END, at + interval '300 ms'
    FROM bench.draft WHERE outcome <> 'dead'
    """,
    """
    INSERT INTO dedupe_keys (source, hash, event_id, seen_at, digest)
    SELECT source, substring(sha256(convert_to(id::text, 'UTF8')) FOR 16), id, at,
           substring(sha256(convert_to(status || id, 'UTF8')) FOR 16)
    FROM bench.draft
    """,
    """
    INSERT INTO transitions (id, subject_id, version, at, previous, status, lanes, occurred_at,
                             event_ids)
    SELECT bench.id(at + interval '300 ms', place, k), k,
           row_number() OVER (PARTITION BY k ORDER BY place), at + interval '300 ms',
           COALESCE(lag(status) OVER (PARTITION BY k ORDER BY place), ''), status,
           jsonb_build_object(lane, status), at, ARRAY[id]
    FROM bench.draft WHERE outcome = 'applied' ORDER BY at
    """,
    f"""
    INSERT INTO subjects (id, lifecycle, scope, ref, status, version, law, state, created_at,
                          updated_at, flags, lifecycle_hash)
    OVERRIDING SYSTEM VALUE
    SELECT k, 'order', '', {REF}, f.status, f.version, {law.LAW}, f.state, least, greatest, f.flags,
           '{{fingerprint}}'
    FROM (SELECT k, (ARRAY[{{numbers}}])[k % 20 + 1] AS story, min(at) AS least,
                 max(at) + interval '300 ms' AS greatest
          FROM bench.draft GROUP BY k) AS d
    JOIN bench.fate f ON f.number = d.story
    ORDER BY k
    """,
    "SELECT setval(pg_get_serial_sequence('subjects', 'id'), 1000000)",
    f"""
    INSERT INTO aliases (lifecycle, type, value, subject_id, kind, claimant, made_at)
    SELECT 'order', 'tracking:cdek', {TRACKING}, k, 'source', 'wms', now()
    FROM generate_series(1, {ORDERS}) AS k
    """,
    f"""
    INSERT INTO aliases (lifecycle, type, value, subject_id, kind, claimant, made_at)
    SELECT 'order', 'payment:psp', 'pay_' || md5(k::text), k, 'source', 'psp', now()
    FROM generate_series(1, {ORDERS}) AS k
    """,
)
DELIVERIES = (
    # Of a hundred orders thirty are dead there for one of three reasons, one is held, one owed.
    """
    CREATE UNLOGGED TABLE bench.carried AS
    SELECT id AS k, version, status, updated_at AS at,
           CASE WHEN id % 100 < 20 THEN 'refused' WHEN id % 100 < 27 THEN 'retries_exhausted'
                WHEN id % 100 < 30 THEN 'not_found' END AS dead,
           CASE WHEN id % 100 < 30 THEN 'dead' WHEN id % 100 = 40 THEN 'held'
                WHEN id % 100 = 41 THEN 'pending' ELSE 'synced' END AS state
    FROM subjects
    """,
    """
    INSERT INTO syncs (subject_id, destination, state, desired_version, synced_version,
                       synced_status, due_at, attempts, failing_since, error, remote_id, written,
                       held_for, difference, updated_at)
    SELECT k, 'crm', state, version, version - (state <> 'synced')::int, status,
           CASE state WHEN 'pending' THEN at + interval '1 day' END, 0,
           CASE WHEN state IN ('pending', 'dead') THEN at END,
           CASE WHEN dead IS NOT NULL THEN 'The CRM said 422: STAGE_ID is unknown.' END,
           (7000000 + k)::text, jsonb_build_object('STAGE_ID', status),
           CASE state WHEN 'held' THEN 'person' END,
           CASE state WHEN 'held' THEN '{"STAGE_ID": {"ours": "WON", "theirs": "LOSE"}}'::jsonb END,
           at + interval '1 second'
    FROM bench.carried
    """,
    """
    INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary, first_at, last_at)
    SELECT bench.id(at + interval '2 seconds', 1, k), 'sync', k, 'crm', dead,
           'The CRM said 422: STAGE_ID ' || k % 7 || ' is unknown.', at + interval '2 seconds',
           at + interval '2 seconds'
    FROM bench.carried WHERE dead IS NOT NULL ORDER BY at
    """,
    """
    INSERT INTO dead_letters (id, kind, event_id, source, reason, summary, first_at, last_at)
    SELECT bench.id(at + interval '1 second', 2, k), 'event', id, source,
           (ARRAY['unmapped', 'unmapped', 'unmapped', 'poison', 'unreadable'])[k % 5 + 1],
           'The status VANISHED of cdek is not known.', at, at
    FROM bench.draft WHERE outcome = 'dead' ORDER BY at
    """,
    # Some were driven again before, with success.
    """
    INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary, first_at, last_at,
                              resolved_at, resolution)
    SELECT bench.id(at - interval '1 second', 3, k), 'sync', k, 'crm', 'retries_exhausted',
           'The CRM did not answer.', at - interval '1 second', at, at, 'redriven'
    FROM bench.carried WHERE k % 20 = 7 ORDER BY at
    """,
    """
    INSERT INTO attempts (id, at, operation, subject_id, destination, version, class, http_status,
                          ms, detail)
    SELECT bench.id(at + interval '800 ms' * n, n, k), at + interval '800 ms' * n, 'write', k,
           'crm', version, CASE WHEN dead IS NULL THEN 'ok' ELSE 'permanent' END,
           CASE WHEN dead IS NULL THEN 200 ELSE 422 END, 20 + k % 90,
           CASE WHEN dead IS NULL THEN '' ELSE 'STAGE_ID is unknown.' END
    FROM bench.carried, generate_series(1, 2) AS n
    WHERE state <> 'pending' AND (dead IS NOT NULL OR n = 1) ORDER BY 1
    """,
)
PEOPLE = (
    """
    INSERT INTO refusals (id, source, at, reason, peer, method, header_names, body_sha256,
                          body_bytes, cause)
    SELECT bench.id(at - interval '1 minute' * n, 1, n), source, at - interval '1 minute' * n,
           'The signature in x-signature matches none of the secrets.', '192.0.2.66', 'POST',
           '{content-type,x-signature}', sha256('x'), 300, 'wrong_secret'
    FROM bench.begun, unnest(ARRAY['shop', 'psp', 'wms', 'cdek']) WITH ORDINALITY AS s (source, o),
    LATERAL (SELECT g * 4 + o AS n FROM generate_series(0, 99) AS g) AS numbered
    """,
    """
    INSERT INTO request_tallies (source, process, day, duplicates, refused)
    SELECT source, gen_random_uuid(), current_date - n, 700, 3
    FROM unnest(ARRAY['shop', 'psp', 'wms', 'cdek']) AS source, generate_series(0, 30) AS n
    """,
    """
    INSERT INTO anomalies (id, at, kind, source, detail, ended_at)
    SELECT bench.id(at - interval '1 hour' * n, 1, n), at - interval '1 hour' * n, 'silence',
           'cdek', 'Nothing came from cdek for 41 minutes; usual are 2.', at
    FROM bench.begun, generate_series(1, 50) AS n
    """,
    """
    INSERT INTO captures (source, received_at, peer, method, path, query, headers, body, weight)
    SELECT 'desk', at - interval '1 minute' * n, '192.0.2.9', 'POST', '/webhooks/desk', '',
           '[["content-type", "application/json"]]', convert_to(jsonb_pretty(jsonb_build_object(
               'ticket', n, 'state', 'OPEN', 'text', repeat('It does not pour. ', 100))), 'UTF8'),
           2000
    FROM bench.begun, generate_series(1, 50) AS n
    """,
    """
    INSERT INTO jobs (id, kind, actor, request, rate, state, due_at, matched, done, skipped,
                      created_at, finished_at)
    SELECT bench.id(at - interval '2 hours' * n, 1, n), 'redrive', 'anna',
           '{"kind": "sync", "destination": "crm", "reason": "refused"}', 50, 'finished', NULL,
           4000, 3912, 88, at - interval '2 hours' * n, at - interval '2 hours' * n
    FROM bench.begun, generate_series(1, 300) AS n
    """,
    """
    INSERT INTO destinations (name, breaker, last_error) VALUES ('crm', 'closed', 'It said 503.')
    """,
    """
    INSERT INTO budgets (destination, name, count, period) VALUES ('crm', 'requests', 2, '1 second')
    """,
    # These are chained one by one, as the trigger says.
    """
    SET session_replication_role = origin;
    INSERT INTO operator_actions (id, at, actor, action, target, detail)
    SELECT bench.id(at - interval '5 minutes' * (5001 - n), 1, n),
           at - interval '5 minutes' * (5001 - n), (ARRAY['anna', 'boris', 'chen'])[n % 3 + 1],
           'subject.retry', 'order/A-' || 1000000 + n,
           '{"destination": "crm", "reason": "The CRM is back."}'
    FROM bench.begun, generate_series(1, 5000) AS n ORDER BY 1
    """,
)
WAITING = (
    # A courier's words about numbers that no order is known by.
    """
    CREATE UNLOGGED TABLE bench.nameless AS
    SELECT k, bench.id(at - interval '1 minute' * k, 40, k) AS id,
           bench.id(at - interval '1 minute' * k, 41, k) AS request_id,
           at - interval '1 minute' * k AS at
    FROM bench.begun, generate_series(1, 2000) AS k
    """,
    """
    INSERT INTO requests (id, source, received_at, peer, method, path, query, headers, body)
    SELECT request_id, 'cdek', at, '192.0.2.7', 'POST', '/webhooks/cdek', '', '{}', '{}'
    FROM bench.nameless
    """,
    """
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                        code, occurred_at, received_at, attributes, fate, note, details)
    SELECT id, request_id, 'cdek', 'wait-' || k, 'order', '', NULL, 'delivery', 'in_transit',
           'TRANSIT', at, at, '{}', 'fold', '',
           jsonb_build_object('aliases', jsonb_build_array(jsonb_build_object(
               'type', 'tracking:cdek', 'value', (1500000000 + k)::text)))
    FROM bench.nameless
    """,
    """
    INSERT INTO event_outcomes (event_id, outcome, reason)
    SELECT id, 'waiting', 'no order is known by this name' FROM bench.nameless
    """,
    """
    INSERT INTO waiting (event_id, lifecycle, type, value, deadline_at)
    SELECT id, 'order', 'tracking:cdek', (1500000000 + k)::text, now() + interval '7 days'
    FROM bench.nameless
    """,
)


@asynccontextmanager
async def kept(folder: Path) -> AsyncIterator[str]:
    """The DSN of the server with all that in it, durable; seeded first where the folder is new."""
    mark, wanted = folder / "seeded.json", _fingerprint()
    known = json.loads(mark.read_text()) if mark.exists() else {}
    if known.get("of") != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        folder.chmod(0o711)
        began = time.perf_counter()
        async with embedded.running(folder / "data", durable=False) as dsn:
            await _seed(dsn)
        known = {"of": wanted, "at": datetime.now(UTC).isoformat(timespec="seconds")}
        mark.write_text(json.dumps(known))
        print(f"seeded in {time.perf_counter() - began:.0f} s")
    print(f"the database is as of {known['at']}")
    async with embedded.running(folder / "data") as dsn:
        yield dsn


def _fingerprint() -> str:
    """Another schema, or another seed, and it is made anew."""
    files = [Path(__file__), *sorted(MIGRATIONS.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


async def _seed(dsn: str) -> None:
    await migrate.upgrade(dsn)
    connection = await asyncpg.connect(dsn, server_settings={"timezone": "UTC"})
    try:
        await _make_days(connection)
        await connection.execute(SETTINGS)
        await connection.execute(FUNCTIONS)
        await _tell_stories(connection)
        numbers = ",".join(str(n) for n, (share, _) in enumerate(STORIES) for _ in range(share))
        said = lifecycle.fingerprint(ORDER)
        for statement in (DRAFT, *ROAD, *DELIVERIES, *WAITING, *PEOPLE):
            began = time.perf_counter()
            told = statement.replace("{numbers}", numbers).replace("{fingerprint}", said)
            await connection.execute(told, timeout=600)
            print(f"  {time.perf_counter() - began:5.1f} s {' '.join(told.split())[:60]}")
        await connection.execute("DROP SCHEMA bench CASCADE")
        await connection.execute("VACUUM (ANALYZE)", timeout=600)
        await connection.execute("CHECKPOINT", timeout=600)
    finally:
        await connection.close()


async def _make_days(connection: asyncpg.Connection) -> None:
    """Partitions of the past, as a month of running leaves them; those ahead are the program's."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (today - timedelta(days=n) for n in range(DAYS, -8, -1)):
        first, last = ids.first_id(day), ids.first_id(day + timedelta(days=1))
        for table in partitions.TABLES:
            await connection.execute(
                f"CREATE TABLE {table}_{day:%Y%m%d} PARTITION OF {table}"
                f" FOR VALUES FROM ('{first}') TO ('{last}')"
            )


async def _tell_stories(connection: asyncpg.Connection) -> None:
    """Each story as rows, and what the law makes of it."""
    for number, (_, story) in enumerate(STORIES):
        rows = [(number, place, *said) for place, said in enumerate(story, start=1)]
        await connection.copy_records_to_table("story", records=rows, schema_name="bench")
        events = [
            make.event(
                id=UUID(int=place),
                source=said.source,
                lane=said.lane,
                status=said.status,
                occurred_at=make.at(place if said.outcome == "applied" else 0),
                attributes={"amount": "49.90", "customer": "K. Brandt", "carrier": "CDEK"},
            )
            for place, said in enumerate(story, start=1)
            if said.outcome != "dead"
        ]
        state = law.fold(ORDER, events).state
        status = lifecycle.overall(ORDER, state.lanes)
        flags = [alarm.flag for alarm in lifecycle.alarms(ORDER, state.lanes)]
        version = sum(said.outcome == "applied" for said in story)
        await connection.execute(
            "INSERT INTO bench.fate VALUES ($1, $2, $3, $4, $5::text::jsonb)",
            number,
            status,
            version,
            flags,
            json.dumps(state.to_json()),
        )
