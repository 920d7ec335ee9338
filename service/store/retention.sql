-- turn --
SELECT pg_try_advisory_xact_lock(7301944030)

-- now --
SELECT now()

-- page --
-- Events that others hold are left for the next time.
WITH page AS (
    SELECT id, lifecycle, scope, ref, fate FROM events
    WHERE id > $1 AND id < $2
    ORDER BY id LIMIT $3
    FOR UPDATE SKIP LOCKED
)
SELECT p.id,
       (o.event_id IS NOT NULL AND o.outcome <> 'waiting' AND x.event_id IS NULL AND d.id IS NULL)
           AS settled,
       COALESCE(p.fate = 'fold' AND o.outcome <> 'discarded', false) AS folded,
       COALESCE(h.lifecycle, s.lifecycle) AS lifecycle, COALESCE(h.scope, s.scope) AS scope,
       COALESCE(h.ref, s.ref) AS ref
FROM page p
LEFT JOIN event_outcomes o ON o.event_id = p.id
LEFT JOIN outbox x ON x.event_id = p.id
LEFT JOIN dead_letters d ON d.event_id = p.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN adoptions a ON a.event_id = p.id
LEFT JOIN subjects h ON h.id = a.subject_id
LEFT JOIN subjects s ON s.lifecycle = p.lifecycle AND s.scope = p.scope AND s.ref = p.ref
ORDER BY p.id

-- leave --
WITH gone AS (
    DELETE FROM events WHERE id = ANY($1::uuid[]) RETURNING id, source
),
decided AS (
    DELETE FROM event_outcomes WHERE event_id = ANY($1::uuid[]) RETURNING event_id, outcome
),
homeless AS (
    DELETE FROM adoptions WHERE event_id = ANY($1::uuid[])
),
forgotten AS (
    DELETE FROM rollbacks WHERE event_id = ANY($1::uuid[])
)
INSERT INTO ledger_totals (source, applied, superseded, revoked, ignored, discarded)
SELECT g.source,
       count(*) FILTER (WHERE d.outcome = 'applied'),
       count(*) FILTER (WHERE d.outcome = 'superseded'),
       count(*) FILTER (WHERE d.outcome = 'revoked'),
       count(*) FILTER (WHERE d.outcome = 'ignored'),
       count(*) FILTER (WHERE d.outcome = 'discarded')
FROM gone g JOIN decided d ON d.event_id = g.id
GROUP BY g.source
ORDER BY g.source
ON CONFLICT (source) DO UPDATE SET
    applied = ledger_totals.applied + excluded.applied,
    superseded = ledger_totals.superseded + excluded.superseded,
    revoked = ledger_totals.revoked + excluded.revoked,
    ignored = ledger_totals.ignored + excluded.ignored,
    discarded = ledger_totals.discarded + excluded.discarded,
    updated_at = now()

-- partitions --
SELECT parent.relname AS parent, child.relname AS name
FROM pg_inherits
JOIN pg_class child ON child.oid = pg_inherits.inhrelid
JOIN pg_class parent ON parent.oid = pg_inherits.inhparent
WHERE parent.relname = ANY($1::text[])

-- patience --
SELECT set_config('lock_timeout', $1, true)

-- settle_down --
LOCK TABLE {name} IN SHARE MODE

-- kept_requests --
-- Dead and waiting events keep their raw bytes, and so does what is on its way.
SELECT DISTINCT e.request_id AS id
FROM (
    SELECT event_id FROM dead_letters WHERE kind = 'event' AND resolved_at IS NULL
    UNION ALL
    SELECT event_id FROM waiting
    UNION ALL
    SELECT event_id FROM owed_lookups
    UNION ALL
    SELECT event_id FROM outbox
) AS needed
JOIN events e ON e.id = needed.event_id
JOIN {name} r ON r.id = e.request_id
LIMIT $1

-- kept_events --
SELECT id FROM {name} LIMIT $1

-- kept_event_outcomes --
SELECT event_id AS id FROM {name} LIMIT $1

-- kept_transitions --
-- A destination that is behind is told what it missed.
SELECT t.id FROM {name} t
WHERE EXISTS (SELECT FROM syncs y WHERE y.subject_id = t.subject_id AND y.state <> 'synced')
LIMIT $1

-- kept_attempts --
SELECT a.id FROM {name} a
WHERE EXISTS (SELECT FROM dead_letters d
              WHERE d.kind = 'sync' AND d.resolved_at IS NULL AND d.subject_id = a.subject_id
                AND d.destination = a.destination)
LIMIT $1

-- freeze_requests --
INSERT INTO ledger_totals (source, requests)
SELECT source, count(*) FROM {name} WHERE id <> ALL($1::uuid[])
GROUP BY source ORDER BY source
ON CONFLICT (source) DO UPDATE SET
    requests = ledger_totals.requests + excluded.requests, updated_at = now()

-- sealed --
SELECT id, path, query, headers, body, sealed_with
FROM {name} WHERE id = ANY($1::uuid[]) AND sealed_with IS NOT NULL AND sealed_with <> $2

-- seal --
UPDATE {name} SET path = $2, query = $3, headers = $4, body = $5, sealed_with = $6 WHERE id = $1

-- detach --
ALTER TABLE {parent} DETACH PARTITION {name}

-- move --
-- There is no partition of that day any more: they go to the default one.
INSERT INTO {parent} SELECT * FROM {name} WHERE {key} = ANY($1::uuid[])

-- drop --
DROP TABLE {name}

-- late_requests --
WITH gone AS (
    DELETE FROM requests_default WHERE id = ANY(ARRAY(
        SELECT id FROM requests_default WHERE id < $1 AND id <> ALL($2::uuid[]) ORDER BY id LIMIT $3))
    RETURNING source
),
counted AS (
    INSERT INTO ledger_totals (source, requests)
    SELECT source, count(*) FROM gone GROUP BY source ORDER BY source
    ON CONFLICT (source) DO UPDATE SET
        requests = ledger_totals.requests + excluded.requests, updated_at = now()
)
SELECT count(*) FROM gone

-- late_transitions --
WITH gone AS (
    DELETE FROM transitions_default WHERE id = ANY(ARRAY(
        SELECT id FROM transitions_default WHERE id < $1 AND id <> ALL($2::uuid[])
        ORDER BY id LIMIT $3))
    RETURNING 1
)
SELECT count(*) FROM gone

-- late_attempts --
WITH gone AS (
    DELETE FROM attempts_default WHERE id = ANY(ARRAY(
        SELECT id FROM attempts_default WHERE id < $1 AND id <> ALL($2::uuid[])
        ORDER BY id LIMIT $3))
    RETURNING 1
)
SELECT count(*) FROM gone

-- closed_letters --
WITH gone AS (
    DELETE FROM dead_letters WHERE id = ANY(ARRAY(
        SELECT id FROM dead_letters WHERE resolved_at < $1 LIMIT $2))
    RETURNING 1
)
SELECT count(*) FROM gone

-- key_blocks --
SELECT (pg_relation_size($1::text::regclass) / current_setting('block_size')::int)::bigint

-- old_keys --
-- A stretch of the table as it lies on disk: no index stands on the time. The key of an event that
-- is still in question outlives its time.
WITH gone AS (
    DELETE FROM {name} k
    WHERE k.ctid >= $1::text::tid AND k.ctid < $2::text::tid AND k.seen_at < $3
      AND NOT EXISTS (SELECT FROM dead_letters d WHERE d.event_id = k.event_id
                      AND d.kind = 'event' AND d.resolved_at IS NULL)
      AND NOT EXISTS (SELECT FROM waiting w WHERE w.event_id = k.event_id)
      AND NOT EXISTS (SELECT FROM owed_lookups l WHERE l.event_id = k.event_id)
      AND NOT EXISTS (SELECT FROM outbox x WHERE x.event_id = k.event_id)
    RETURNING 1
)
SELECT count(*) FROM gone

-- due --
SELECT count(*) AS events,
       count(*) FILTER (WHERE o.event_id IS NOT NULL AND o.outcome <> 'waiting'
                          AND x.event_id IS NULL AND d.id IS NULL) AS settled
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN outbox x ON x.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
WHERE e.id < $1

-- due_requests --
SELECT count(*) FROM requests WHERE id < $1

-- totals --
SELECT COALESCE(sum(requests), 0)::bigint AS requests,
       COALESCE(sum(applied + superseded + revoked + ignored + discarded), 0)::bigint AS events
FROM ledger_totals

-- bases --
SELECT count(*) FROM bases
