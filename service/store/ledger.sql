-- bound --
-- Of rows newer than its last look at a table the planner expects next to none, and would walk the
-- whole span anew for each of them.
SELECT set_config('statement_timeout', $1, true), set_config('enable_nestloop', 'off', true)

-- now --
SELECT now()

-- totals --
-- Those that are past their retention, as they were counted last.
SELECT source, requests, applied, superseded, revoked, ignored, discarded
FROM ledger_totals
ORDER BY source

-- tallies --
-- Requests that left no row, and when the last one was refused.
SELECT t.source, t.duplicate, t.refused, t.unavailable, f.at AS refused_at
FROM (SELECT source,
             sum(duplicates)::bigint AS duplicate,
             sum(refused)::bigint AS refused,
             sum(unavailable)::bigint AS unavailable
      FROM request_tallies GROUP BY source) t
LEFT JOIN LATERAL (SELECT x.at FROM refusals x WHERE x.source = t.source
                   ORDER BY x.id DESC LIMIT 1) f ON true
ORDER BY t.source

-- events_after --
SELECT id FROM events WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1

-- events_before --
SELECT id FROM events WHERE id <= $1 ORDER BY id DESC OFFSET $2 LIMIT 1

-- requests_after --
SELECT id FROM requests WHERE id > $1 ORDER BY id OFFSET $2 LIMIT 1

-- requests_before --
SELECT id FROM requests WHERE id <= $1 ORDER BY id DESC OFFSET $2 LIMIT 1

-- syncs_after --
SELECT subject_id FROM syncs WHERE subject_id > $1 ORDER BY subject_id OFFSET $2 LIMIT 1

-- syncs_before --
SELECT subject_id FROM syncs WHERE subject_id <= $1 ORDER BY subject_id DESC OFFSET $2 LIMIT 1

-- sources --
-- Each table is bounded by itself, so that each is walked in its order and all are merged.
SELECT e.source,
       count(*) AS accepted,
       count(*) FILTER (WHERE o.outcome = 'applied') AS applied,
       count(*) FILTER (WHERE o.outcome = 'superseded') AS superseded,
       count(*) FILTER (WHERE o.outcome = 'revoked') AS revoked,
       count(*) FILTER (WHERE o.outcome = 'ignored') AS ignored,
       count(*) FILTER (WHERE o.outcome = 'waiting') AS waiting,
       count(d.event_id) AS dead,
       count(*) FILTER (WHERE o.outcome = 'discarded') AS discarded,
       count(x.event_id) AS pending,
       count(*) FILTER (WHERE num_nonnulls(o.event_id, d.event_id, x.event_id) <> 1) AS misplaced
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id AND o.event_id > $1 AND o.event_id <= $2
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.event_id > $1 AND d.event_id <= $2
    AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id AND x.event_id > $1 AND x.event_id <= $2
WHERE e.id > $1 AND e.id <= $2
GROUP BY e.source

-- misplaced_events --
SELECT e.id, o.outcome, d.event_id IS NOT NULL AS dead, x.event_id IS NOT NULL AS pending
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id AND o.event_id > $1 AND o.event_id <= $2
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.event_id > $1 AND d.event_id <= $2
    AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id AND x.event_id > $1 AND x.event_id <= $2
WHERE e.id > $1 AND e.id <= $2 AND num_nonnulls(o.event_id, d.event_id, x.event_id) <> 1
ORDER BY e.id
LIMIT $3

-- strays --
SELECT kind, id
FROM (
    SELECT 'outbox' AS kind, event_id AS id FROM outbox WHERE event_id > $1 AND event_id <= $2
    UNION ALL
    SELECT 'outcome', event_id FROM event_outcomes WHERE event_id > $1 AND event_id <= $2
    UNION ALL
    SELECT 'dead_letter', event_id FROM dead_letters
    WHERE kind = 'event' AND resolved_at IS NULL AND event_id > $1 AND event_id <= $2
) AS said
WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = said.id AND e.id > $1 AND e.id <= $2)
ORDER BY kind, id
LIMIT $3

-- requests --
SELECT source, count(*) AS accepted, max(received_at) AS last_at
FROM requests
WHERE id > $1 AND id <= $2
GROUP BY source

-- destinations --
SELECT destination,
       count(*) AS owed,
       count(*) FILTER (WHERE state = 'synced') AS synced,
       count(*) FILTER (WHERE state = 'pending') AS pending,
       count(*) FILTER (WHERE state = 'no_record') AS no_record,
       count(*) FILTER (WHERE state = 'held') AS held,
       count(*) FILTER (WHERE state = 'dead') AS dead,
       min(COALESCE(failing_since, updated_at)) FILTER (WHERE state IN ('pending', 'no_record'))
           AS oldest_at
FROM syncs
WHERE subject_id > $1 AND subject_id <= $2
GROUP BY destination

-- contradictions --
SELECT COALESCE(y.destination, d.destination, '') AS destination, s.lifecycle, s.scope, s.ref,
       COALESCE(y.subject_id, d.subject_id) AS subject_id, y.state, y.desired_version,
       y.synced_version, y.due_at, s.version, d.id IS NOT NULL AS buried
FROM (SELECT subject_id, destination, state, desired_version, synced_version, due_at
      FROM syncs WHERE subject_id > $1 AND subject_id <= $2) y
FULL JOIN (SELECT id, subject_id, destination FROM dead_letters
           WHERE kind = 'sync' AND resolved_at IS NULL AND subject_id > $1 AND subject_id <= $2) d
    ON d.subject_id = y.subject_id AND d.destination = y.destination
LEFT JOIN subjects s ON s.id = y.subject_id AND s.id > $1 AND s.id <= $2
WHERE y.subject_id IS NULL
   OR s.id IS NULL
   OR y.desired_version > s.version
   OR (y.state = 'synced') <> (y.synced_version = y.desired_version)
   OR y.synced_version > y.desired_version
   OR (y.state = 'dead') <> (d.id IS NOT NULL)
   OR (y.state IN ('pending', 'no_record') AND y.due_at IS NULL)
ORDER BY destination, subject_id
LIMIT $3
