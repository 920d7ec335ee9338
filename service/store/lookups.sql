-- ping --
SELECT 1

-- bound --
SELECT set_config('statement_timeout', $1, true)

-- subjects --
SELECT id, lifecycle, scope, ref, status, version, updated_at
FROM subjects
WHERE ($1::text IS NULL OR lifecycle = $1)
  AND ($2::text IS NULL OR status = $2)
  AND ($3::text IS NULL OR starts_with(ref, $3))
  AND ($4::timestamptz IS NULL OR (updated_at, id) < ($4, $5::bigint))
ORDER BY updated_at DESC, id DESC
LIMIT $6

-- subject --
SELECT id, lifecycle, scope, ref, status, version, state, updated_at
FROM subjects
WHERE lifecycle = $1 AND scope = $2 AND ref = $3

-- syncs --
SELECT destination, state, desired_version, synced_version, due_at, attempts, error
FROM syncs
WHERE subject_id = $1
ORDER BY destination

-- history --
SELECT e.id, e.source, e.lane, e.status, e.occurred_at, e.received_at,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
WHERE e.lifecycle = $1 AND e.scope = $2 AND e.ref = $3
ORDER BY e.id DESC
LIMIT $4

-- events --
SELECT e.id, e.request_id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.lane, e.status,
       e.code, e.occurred_at, e.received_at, e.attributes,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
WHERE ($1::text IS NULL OR e.source = $1)
  AND ($2::text IS NULL OR CASE $2
           WHEN 'pending' THEN x.event_id IS NOT NULL
           WHEN 'dead' THEN d.event_id IS NOT NULL
           ELSE o.outcome = $2 AND x.event_id IS NULL AND d.event_id IS NULL END)
  -- "order/a:b" may be read as scope a, ref b, or as ref a:b without a scope.
  AND ($3::text IS NULL OR (e.lifecycle = $3 AND e.scope = '' AND e.ref = $4)
                        OR (e.lifecycle = $3 AND e.scope = $5 AND e.ref = $6))
  AND ($7::uuid IS NULL OR e.id < $7)
ORDER BY e.id DESC
LIMIT $8

-- event --
SELECT e.id, e.request_id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.lane, e.status,
       e.code, e.occurred_at, e.received_at, e.attributes,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
WHERE e.id = $1

-- request --
SELECT id, received_at, peer, method, path, query, headers, body
FROM requests
WHERE id = $1

-- attempts --
-- The exchanges that carried this event: from the version it led to onwards.
SELECT a.at, a.destination, a.version, a.operation, a.class, a.http_status, a.ms, a.detail
FROM subjects s
JOIN LATERAL (SELECT min(t.version) AS version FROM transitions t
              WHERE t.subject_id = s.id AND $4::uuid = ANY(t.event_ids)) led ON true
JOIN attempts a ON a.subject_id = s.id AND a.version >= led.version
WHERE s.lifecycle = $1 AND s.scope = $2 AND s.ref = $3
ORDER BY a.id
LIMIT $5
