-- lock --
SELECT state, held_for, difference, lease_owner IS NOT NULL AND due_at > now() AS leased
FROM syncs WHERE subject_id = $1 AND destination = $2
FOR UPDATE

-- redriven --
UPDATE dead_letters SET resolved_at = now(), resolution = 'redriven'
WHERE subject_id = $1 AND destination = $2 AND kind = 'sync' AND resolved_at IS NULL

-- overwrite --
-- Whoever is about to write loses its fence; should its call still arrive, it says so itself.
UPDATE syncs SET
    state = 'pending', synced_version = LEAST(synced_version, desired_version - 1),
    overrule = true, verify = 1, written_hash = NULL, held_for = NULL, difference = NULL,
    due_at = now(), lease_owner = NULL, fence = fence + 1, attempts = 0, failing_since = NULL,
    error = NULL, updated_at = now()
WHERE subject_id = $1 AND destination = $2

-- accept --
-- What stands there is where the next version begins: it is nobody's edit any more.
UPDATE syncs SET
    state = 'held', held_for = 'operator', overrule = false, due_at = NULL, lease_owner = NULL,
    fence = fence + 1, written = COALESCE(written, '{}') || $3::jsonb, written_hash = NULL,
    error = $4, updated_at = now()
WHERE subject_id = $1 AND destination = $2

-- retry --
UPDATE syncs SET
    state = CASE WHEN state IN ('dead', 'held') THEN 'pending' ELSE state END,
    -- What is settled is only read once more.
    verify = CASE WHEN state = 'synced' THEN 2 ELSE 1 END,
    due_at = now(), held_for = NULL, difference = NULL, attempts = 0, failing_since = NULL,
    error = NULL, updated_at = now()
WHERE subject_id = $1 AND destination = $2

-- held --
SELECT s.lifecycle, s.scope, s.ref, s.status, y.subject_id, y.destination,
       COALESCE(y.held_for, 'operator') AS held_for, y.desired_version, y.synced_version,
       y.remote_id, y.difference, y.error, y.updated_at
FROM syncs y
JOIN subjects s ON s.id = y.subject_id
WHERE y.state = 'held'
  AND ($1::text IS NULL OR y.destination = $1)
  AND ($2::text IS NULL OR COALESCE(y.held_for, 'operator') = $2)
  AND ($3::timestamptz IS NULL
       OR (y.updated_at, y.subject_id, y.destination) < ($3, $4::bigint, $5::text))
ORDER BY y.updated_at DESC, y.subject_id DESC, y.destination DESC
LIMIT $6

-- bound --
SELECT set_config('statement_timeout', $1, true)
