-- bound --
-- Each filter has a plan of its own: one for all would walk past what an index finds.
SELECT set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_custom_plan', true)

-- subject_ids --
-- "order/a:b" may be read as scope a, ref b, or as ref a:b without a scope.
SELECT id FROM subjects
WHERE (lifecycle = $1 AND scope = '' AND ref = $2) OR (lifecycle = $1 AND scope = $3 AND ref = $4)

-- led --
-- Where an event took its subject: exchanges from that version onwards carried it.
SELECT s.id, min(t.version) AS version
FROM events e
JOIN subjects s ON s.lifecycle = e.lifecycle AND s.scope = e.scope AND s.ref = e.ref
JOIN transitions t ON t.subject_id = s.id AND $1::uuid = ANY(t.event_ids)
WHERE e.id = $1
GROUP BY s.id

-- floor --
-- The exchange that so many lie between.
SELECT id FROM attempts WHERE id < $1 ORDER BY id DESC OFFSET $2 LIMIT 1

-- page --
SELECT a.id, a.at, a.operation, a.destination, a.version, a.class, a.http_status, a.ms, a.detail,
       s.lifecycle, s.scope, s.ref
FROM attempts a
LEFT JOIN subjects s ON s.id = a.subject_id
WHERE ($1::bigint[] IS NULL OR a.subject_id = ANY($1))
  AND ($2::bigint IS NULL OR a.version >= $2)
  AND ($3::text IS NULL OR a.destination = $3)
  AND ($4::text[] IS NULL OR a.class = ANY($4))
  AND ($5::timestamptz IS NULL OR a.at >= $5)
  AND ($6::timestamptz IS NULL OR a.at < $6)
  -- Partitions are cut by id; a worker's clock may be off by less than a day.
  AND a.id >= $7 AND a.id < $8
ORDER BY a.id DESC
LIMIT $9
