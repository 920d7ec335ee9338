-- ping --
SELECT 1

-- bound --
SELECT set_config('statement_timeout', $1, true)

-- subjects --
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.flags, s.updated_at,
       m.lifecycle AS into_lifecycle, m.scope AS into_scope, m.ref AS into_ref
FROM subjects s
LEFT JOIN subjects m ON m.id = s.merged_into
WHERE ($1::text IS NULL OR s.lifecycle = $1)
  -- The status and the flags of a merged subject are those of the day it was merged.
  AND ($2::text IS NULL OR (s.status = $2 AND s.merged_into IS NULL))
  AND ($3::text IS NULL OR starts_with(s.ref, $3))
  AND ($4::text IS NULL OR (s.flags <> '{}' AND s.merged_into IS NULL
                            AND ($4 = 'any' OR $4 = ANY(s.flags))))
  -- As an array: what is looked for by name is not found by walking all subjects.
  AND ($5::text IS NULL OR s.id = ANY(ARRAY(
      WITH RECURSIVE named AS (
          SELECT a.subject_id AS id FROM aliases a
          WHERE a.lifecycle = ANY($7::text[]) AND a.type = $5 AND a.value = $6
            AND a.revoked_at IS NULL AND a.kind <> 'denial'
          UNION
          SELECT u.merged_into FROM named n JOIN subjects u ON u.id = n.id
          WHERE u.merged_into IS NOT NULL
      )
      SELECT id FROM named)))
  AND ($8::timestamptz IS NULL OR (s.updated_at, s.id) < ($8, $9::bigint))
ORDER BY s.updated_at DESC, s.id DESC
LIMIT $10

-- events --
SELECT e.id, e.request_id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.parcel, e.lane,
       e.status, e.code, e.occurred_at, e.received_at, e.attributes, e.details,
       s.lifecycle AS home_lifecycle, s.scope AS home_scope, s.ref AS home_ref,
       w.names AS waits_for, w.until AS waits_until,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
LEFT JOIN adoptions h ON h.event_id = e.id
LEFT JOIN subjects s ON s.id = h.subject_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('type', type, 'value', value) ORDER BY type, value) AS names,
           min(deadline_at) AS until
    FROM waiting WHERE event_id = e.id
) w ON true
WHERE ($1::text IS NULL OR e.source = $1)
  AND ($2::text IS NULL OR CASE $2
           WHEN 'pending' THEN x.event_id IS NOT NULL
           WHEN 'dead' THEN d.event_id IS NOT NULL
           ELSE o.outcome = $2 AND x.event_id IS NULL AND d.event_id IS NULL END)
  -- "order/a:b" may be read as scope a, ref b, or as ref a:b without a scope.
  AND ($3::text IS NULL OR e.id = ANY(ARRAY(
      SELECT n.id FROM events n WHERE n.lifecycle = $3 AND n.scope = '' AND n.ref = $4
      UNION
      SELECT n.id FROM events n WHERE n.lifecycle = $3 AND n.scope = $5 AND n.ref = $6
      UNION
      SELECT a.event_id FROM adoptions a JOIN subjects n ON n.id = a.subject_id
      WHERE n.lifecycle = $3 AND (n.scope, n.ref) IN (('', $4), ($5, $6)))))
  AND ($7::uuid IS NULL OR e.id < $7)
  AND ($9::uuid IS NULL OR e.id >= $9)
ORDER BY e.id DESC
LIMIT $8

-- floor --
-- The event that so many lie between.
SELECT id FROM events
WHERE ($1::uuid IS NULL OR id < $1)
ORDER BY id DESC
OFFSET $2 LIMIT 1

-- event --
SELECT e.id, e.request_id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.parcel, e.lane,
       e.status, e.code, e.occurred_at, e.received_at, e.attributes, e.details,
       s.lifecycle AS home_lifecycle, s.scope AS home_scope, s.ref AS home_ref,
       w.names AS waits_for, w.until AS waits_until,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
LEFT JOIN adoptions h ON h.event_id = e.id
LEFT JOIN subjects s ON s.id = h.subject_id
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('type', type, 'value', value) ORDER BY type, value) AS names,
           min(deadline_at) AS until
    FROM waiting WHERE event_id = e.id
) w ON true
WHERE e.id = $1

-- request --
SELECT id, received_at, peer, method, path, query, headers, body, sealed_with, erased_at
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

-- anomalies --
SELECT a.id, a.at, a.kind, a.source, a.event_id, a.detail, a.ended_at,
       s.lifecycle, s.scope, s.ref
FROM anomalies a
LEFT JOIN subjects s ON s.id = a.subject_id
WHERE ($1::text IS NULL OR a.kind = $1)
  AND ($2::text IS NULL OR a.source = $2)
  AND ($3::boolean IS NULL OR (a.ended_at IS NULL) = $3)
  AND ($4::uuid IS NULL OR a.id < $4)
ORDER BY a.id DESC
LIMIT $5
