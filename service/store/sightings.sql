-- of_subject --
SELECT y.subject_id, y.destination, y.state AS sync, y.fence, y.desired_version, y.synced_version,
       y.lease_owner IS NOT NULL AS leased, y.remote_id, y.written, y.intent, y.held_for, y.overrule,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state, s.updated_at AS changed_at
FROM subjects s
JOIN syncs y ON y.subject_id = s.id
WHERE s.lifecycle = $1 AND s.scope = $2 AND s.ref = $3
ORDER BY y.destination

-- page --
SELECT y.subject_id, y.destination, y.state AS sync, y.fence, y.desired_version, y.synced_version,
       y.lease_owner IS NOT NULL AS leased, y.remote_id, y.written, y.intent, y.held_for, y.overrule,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state, s.updated_at AS changed_at
FROM syncs y
JOIN subjects s ON s.id = y.subject_id
WHERE y.destination = $1 AND y.subject_id > $3 AND y.state IN ('synced', 'held')
  AND s.merged_into IS NULL AND ($2::timestamptz IS NULL OR y.updated_at >= $2)
ORDER BY y.subject_id
LIMIT $4

-- extent --
SELECT s.lifecycle, count(*) AS syncs
FROM syncs y
JOIN subjects s ON s.id = y.subject_id
WHERE y.destination = $1 AND y.state IN ('synced', 'held')
  AND s.merged_into IS NULL AND ($2::timestamptz IS NULL OR y.updated_at >= $2)
GROUP BY s.lifecycle
ORDER BY s.lifecycle

-- by_records --
-- Every id that was learned is claimed as a name of its subject, which has an index.
SELECT y.subject_id, y.destination, y.state AS sync, y.fence, y.desired_version, y.synced_version,
       y.lease_owner IS NOT NULL AS leased, y.remote_id, y.written, y.intent, y.held_for, y.overrule,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state, s.updated_at AS changed_at
FROM aliases a
JOIN syncs y ON y.subject_id = a.subject_id AND y.destination = $1 AND y.remote_id = a.value
JOIN subjects s ON s.id = y.subject_id
WHERE a.lifecycle = $2 AND a.type = $3 AND a.value = ANY($4::text[])
  AND a.revoked_at IS NULL AND a.kind = 'destination' AND s.merged_into IS NULL

-- by_refs --
SELECT y.subject_id, y.destination, y.state AS sync, y.fence, y.desired_version, y.synced_version,
       y.lease_owner IS NOT NULL AS leased, y.remote_id, y.written, y.intent, y.held_for, y.overrule,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state, s.updated_at AS changed_at
FROM subjects s
JOIN syncs y ON y.subject_id = s.id AND y.destination = $1
WHERE s.lifecycle = $2 AND s.scope = '' AND s.ref = ANY($3::text[]) AND s.merged_into IS NULL

-- owe --
UPDATE syncs SET
    state = 'pending', desired_version = GREATEST(syncs.desired_version, said.version),
    synced_version = LEAST(syncs.synced_version,
                           GREATEST(syncs.desired_version, said.version) - 1),
    due_at = now(), verify = 1, written_hash = NULL, attempts = 0, failing_since = NULL,
    error = NULL, held_for = NULL, difference = NULL, priority = $6,
    remote_id = COALESCE(syncs.remote_id, said.remote_id), updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
    AS said (subject_id, fence, desired, version, remote_id)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $7
  AND syncs.fence = said.fence AND syncs.desired_version = said.desired
  AND syncs.lease_owner IS NULL AND syncs.state IN ('synced', 'no_record')
RETURNING syncs.subject_id

-- hold --
UPDATE syncs SET
    state = 'held', desired_version = GREATEST(syncs.desired_version, said.version),
    synced_version = LEAST(syncs.synced_version,
                           GREATEST(syncs.desired_version, said.version) - 1),
    due_at = NULL, written_hash = NULL, remote_token = NULL, held_for = 'person',
    difference = said.difference, error = said.summary,
    remote_id = COALESCE(syncs.remote_id, said.remote_id), updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::jsonb[], $7::text[])
    AS said (subject_id, fence, desired, version, remote_id, difference, summary)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $8
  AND syncs.fence = said.fence AND syncs.desired_version = said.desired
  AND syncs.lease_owner IS NULL AND syncs.state IN ('synced', 'held')
RETURNING syncs.subject_id

-- settle --
UPDATE syncs SET
    state = 'synced', desired_version = GREATEST(syncs.desired_version, said.version),
    synced_version = GREATEST(syncs.desired_version, said.version), synced_status = said.status,
    due_at = NULL, attempts = 0, failing_since = NULL, error = NULL, held_for = NULL,
    difference = NULL, overrule = false, written = said.written, written_hash = NULL,
    remote_id = COALESCE(syncs.remote_id, said.remote_id), updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[], $7::jsonb[])
    AS said (subject_id, fence, desired, version, remote_id, status, written)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $8
  AND syncs.fence = said.fence AND syncs.desired_version = said.desired
  AND syncs.lease_owner IS NULL AND syncs.state IN ('held')
RETURNING syncs.subject_id
