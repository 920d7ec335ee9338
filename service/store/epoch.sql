-- others --
SELECT DISTINCT application_name AS name FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND application_name LIKE 'orderhook-%' AND application_name <> 'orderhook-cli'
ORDER BY name

-- begin --
-- The clock alone would do, but for a second restore within one second or a clock set back.
SELECT GREATEST(floor(extract(epoch FROM now()))::bigint * $1, (max(version) / $1 + 1) * $1)
FROM subjects

-- start --
ALTER TABLE subjects ALTER COLUMN version SET DEFAULT {base}

-- lock --
LOCK TABLE subjects, syncs IN EXCLUSIVE MODE

-- raise --
UPDATE subjects SET version = $3::bigint + (state IS NOT NULL)::int
WHERE id = ANY(ARRAY(SELECT id FROM subjects WHERE id > $1 ORDER BY id LIMIT $2))
RETURNING id, state IS NOT NULL AS seen

-- step --
INSERT INTO transitions
    (id, subject_id, version, previous, status, lanes, occurred_at, event_ids)
SELECT said.id, s.id, s.version, s.status, s.status, COALESCE(last.lanes, '{}'),
       last.occurred_at, '{}'
FROM unnest($1::uuid[], $2::bigint[]) AS said (id, subject_id)
JOIN subjects s ON s.id = said.subject_id
LEFT JOIN LATERAL (
    SELECT t.lanes, t.occurred_at FROM transitions t
    WHERE t.subject_id = s.id ORDER BY t.version DESC LIMIT 1
) AS last ON true

-- owe --
UPDATE syncs SET
    desired_version = s.version, synced_version = 0, synced_status = NULL,
    state = CASE WHEN syncs.state IN ('synced', 'dead') THEN 'pending' ELSE syncs.state END,
    due_at = now(), lease_owner = NULL, fence = syncs.fence + 1,
    attempts = 0, failing_since = NULL, error = NULL,
    intent_version = NULL, intent_hash = NULL, intent_key = NULL, intent_at = NULL,
    updated_at = now()
FROM subjects s
WHERE s.id = syncs.subject_id AND s.id = ANY($1::bigint[]) AND syncs.destination = ANY($2::text[])
  AND syncs.state <> 'held'  -- what an operator gave up stays given up
RETURNING syncs.subject_id, syncs.destination

-- redrive --
UPDATE outbox SET published_at = NULL, due_at = now()

-- forget --
DELETE FROM progress
