"""Events of a month as a busy installation keeps them: made once by SQL, kept in a folder.

Every order told five events, each with its request, dedupe key, outcome and transition. They are
there to be in the way; nobody folds them again.
"""

import hashlib
import json
import shutil
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg

from service.domain.law import LAW
from service.domain.state import State
from service.store import ids, migrate, partitions
from tests.torture import postgres

DAYS = 30
STEPS = 5
PART = 50_000
"""Orders in one statement."""
MIGRATIONS = Path(__file__).resolve().parents[2] / "migrations" / "versions"
PREPARE = """
SET synchronous_commit = off; SET jit = off; SET session_replication_role = replica;
CREATE SCHEMA history;
CREATE FUNCTION history.id(at timestamptz, place bigint, k bigint) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7'
            || lpad(to_hex(place), 3, '0') || '8' || lpad(to_hex(k), 15, '0'))::uuid
$$
"""
SAID = """
(SELECT k, place, at, history.id(at, place, k) AS id, history.id(at, place + 16, k) AS request_id
 FROM generate_series($1::bigint, $2::bigint) AS k, generate_series(1, 5) AS place,
 LATERAL (SELECT date_trunc('milliseconds', now() - interval '50 hours'
     - interval '28 days' * ($3::bigint - k) / $3::bigint + interval '4 hours' * place) AS at) AS m
 ORDER BY at) AS said
"""
STATEMENTS = (
    f"""
    INSERT INTO requests (id, source, received_at, peer, method, path, query, headers, body)
    SELECT request_id, 'shop', at, '', 'POST', '', '', '{{}}',
           convert_to(repeat(md5(id::text), 20), 'UTF8')
    FROM {SAID}
    """,
    f"""
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                        code, occurred_at, received_at, attributes, fate, note, details)
    SELECT id, request_id, 'shop', 'history-' || k || '-' || place, 'order', '', 'H-' || k,
           'payment', 'paid', 'PAID', at, at, '{{}}', 'fold', '', '{{}}'
    FROM {SAID}
    """,
    f"""
    INSERT INTO event_outcomes (event_id, outcome, reason, decided_at)
    SELECT id, 'applied', '', at FROM {SAID}
    """,
    f"""
    INSERT INTO dedupe_keys (source, hash, event_id, seen_at, digest)
    SELECT 'shop', substring(sha256(convert_to(id::text, 'UTF8')) FOR 16), id, at,
           substring(sha256(convert_to(request_id::text, 'UTF8')) FOR 16)
    FROM {SAID}
    """,
    f"""
    INSERT INTO transitions (id, subject_id, version, at, previous, status, lanes, event_ids)
    SELECT history.id(at, place, k), k, place, at, '', 'paid', '{{}}', ARRAY[id] FROM {SAID}
    """,
)
SUBJECTS = """
INSERT INTO subjects (id, lifecycle, scope, ref, status, version, law, state)
OVERRIDING SYSTEM VALUE
SELECT k, 'order', '', 'H-' || k, 'paid', 5, $3, $4::jsonb
FROM generate_series($1::bigint, $2::bigint) AS k
"""


async def make(folder: Path, events: int) -> Path:
    """The folder of a server that keeps so many events; made anew where it is of another seed."""
    mark, wanted = folder / "seeded.json", _fingerprint(events)
    if mark.exists() and json.loads(mark.read_text()) == wanted:
        return folder / "postgres"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    began = time.perf_counter()
    async with postgres.running(folder / "postgres") as server:
        await migrate.upgrade(server.dsn)
        connection = await server.connect()
        try:
            await _fill(connection, events // STEPS)
        finally:
            await connection.close(timeout=5)
    mark.write_text(json.dumps(wanted))
    print(f"{events:,} events seeded in {time.perf_counter() - began:.0f} s", flush=True)
    return folder / "postgres"


def _fingerprint(events: int) -> str:
    files = [Path(__file__), *sorted(MIGRATIONS.glob("*.py"))]
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest() + f" {events}"


async def _fill(connection: asyncpg.Connection, orders: int) -> None:
    await _make_days(connection)
    await connection.execute(PREPARE)
    state = json.dumps(State.empty().to_json())
    for first in range(1, orders + 1, PART):
        last = min(first + PART - 1, orders)
        for statement in STATEMENTS:
            await connection.execute(statement, first, last, orders, timeout=1800)
        await connection.execute(SUBJECTS, first, last, LAW, state, timeout=600)
    await connection.execute(
        "SELECT setval(pg_get_serial_sequence('subjects', 'id'), $1)", max(orders, 1)
    )
    await connection.execute("DROP SCHEMA history CASCADE")
    await connection.execute("VACUUM (ANALYZE)", timeout=3600)
    await connection.execute("CHECKPOINT", timeout=600)


async def _make_days(connection: asyncpg.Connection) -> None:
    """Those of the past; the roles make today's and those ahead."""
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for day in (today - timedelta(days=n) for n in range(DAYS, 0, -1)):
        first, last = ids.first_id(day), ids.first_id(day + timedelta(days=1))
        for table in partitions.TABLES:
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {table}_{day:%Y%m%d} PARTITION OF {table}"
                f" FOR VALUES FROM ('{first}') TO ('{last}')"
            )
