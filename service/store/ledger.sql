-- bound --
SELECT set_config('statement_timeout', $1, true)

-- now --
SELECT now()

-- events --
-- Those that are there, and those that are past their retention, as they were counted last.
SELECT source, sum(accepted)::bigint AS accepted, sum(applied)::bigint AS applied,
       sum(superseded)::bigint AS superseded, sum(revoked)::bigint AS revoked,
       sum(ignored)::bigint AS ignored, sum(waiting)::bigint AS waiting, sum(dead)::bigint AS dead,
       sum(discarded)::bigint AS discarded, sum(pending)::bigint AS pending,
       sum(misplaced)::bigint AS misplaced
FROM (
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
           count(*) FILTER (WHERE num_nonnulls(o.event_id, d.event_id, x.event_id) <> 1)
               AS misplaced
    FROM events e
    LEFT JOIN event_outcomes o ON o.event_id = e.id
    LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
    LEFT JOIN outbox x ON x.event_id = e.id
    GROUP BY e.source
    UNION ALL
    SELECT source, applied + superseded + revoked + ignored + discarded, applied, superseded,
           revoked, ignored, 0, 0, discarded, 0, 0
    FROM ledger_totals
    WHERE applied + superseded + revoked + ignored + discarded > 0
) AS counted
GROUP BY source
ORDER BY source

-- misplaced_events --
SELECT e.id, o.outcome, d.event_id IS NOT NULL AS dead, x.event_id IS NOT NULL AS pending
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
WHERE num_nonnulls(o.event_id, d.event_id, x.event_id) <> 1
ORDER BY e.id
LIMIT $1

-- strays --
SELECT kind, id
FROM (
    SELECT 'outbox' AS kind, event_id AS id FROM outbox
    UNION ALL
    SELECT 'outcome', event_id FROM event_outcomes
    UNION ALL
    SELECT 'dead_letter', event_id FROM dead_letters WHERE kind = 'event' AND resolved_at IS NULL
) AS said
WHERE NOT EXISTS (SELECT FROM events e WHERE e.id = said.id)
ORDER BY kind, id
LIMIT $1

-- destinations --
SELECT destination,
       count(*) AS owed,
       count(*) FILTER (WHERE state = 'synced') AS synced,
       count(*) FILTER (WHERE state = 'pending') AS pending,
       count(*) FILTER (WHERE state = 'no_record') AS no_record,
       count(*) FILTER (WHERE state = 'held') AS held,
       count(*) FILTER (WHERE state = 'dead') AS dead
FROM syncs
GROUP BY destination
ORDER BY destination

-- contradictions --
SELECT COALESCE(y.destination, d.destination, '') AS destination, s.lifecycle, s.scope, s.ref,
       COALESCE(y.subject_id, d.subject_id) AS subject_id, y.state, y.desired_version,
       y.synced_version, y.due_at, s.version, d.id IS NOT NULL AS buried
FROM syncs y
FULL JOIN (SELECT id, subject_id, destination FROM dead_letters
           WHERE kind = 'sync' AND resolved_at IS NULL) d
    ON d.subject_id = y.subject_id AND d.destination = y.destination
LEFT JOIN subjects s ON s.id = y.subject_id
WHERE y.subject_id IS NULL
   OR s.id IS NULL
   OR y.desired_version > s.version
   OR (y.state = 'synced') <> (y.synced_version = y.desired_version)
   OR y.synced_version > y.desired_version
   OR (y.state = 'dead') <> (d.id IS NOT NULL)
   OR (y.state IN ('pending', 'no_record') AND y.due_at IS NULL)
ORDER BY destination, subject_id
LIMIT $1

-- requests --
SELECT COALESCE(r.source, t.source) AS source,
       COALESCE(r.accepted, 0) AS accepted,
       COALESCE(t.duplicate, 0) AS duplicate,
       COALESCE(t.refused, 0) AS refused,
       COALESCE(t.unavailable, 0) AS unavailable
FROM (SELECT source, sum(accepted)::bigint AS accepted
      FROM (SELECT source, count(*) AS accepted FROM requests GROUP BY source
            UNION ALL
            SELECT source, requests FROM ledger_totals WHERE requests > 0) AS counted
      GROUP BY source) r
FULL JOIN (SELECT source,
                  sum(duplicates)::bigint AS duplicate,
                  sum(refused)::bigint AS refused,
                  sum(unavailable)::bigint AS unavailable
           FROM request_tallies GROUP BY source) t ON t.source = r.source
ORDER BY source
