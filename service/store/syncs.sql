-- claim --
-- The classes one by one: the index is in the order (priority, due_at) within a destination, and a
-- scan over all of it would read every row of a class that is not due yet.
WITH due AS (
    SELECT y.subject_id
    FROM unnest($5::smallint[]) AS class (priority),
    LATERAL (
        SELECT subject_id, priority, due_at FROM syncs
        WHERE destination = $1 AND priority = class.priority AND due_at <= now()
        ORDER BY due_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS y
    ORDER BY y.priority, y.due_at LIMIT $2
)
UPDATE syncs SET lease_owner = $3::uuid, due_at = now() + $4::interval, fence = fence + 1
WHERE destination = $1 AND subject_id = ANY(ARRAY(SELECT subject_id FROM due))
RETURNING subject_id, destination, fence, priority, true AS leased

-- urgent --
SELECT subject_id, priority FROM syncs
WHERE destination = $1 AND priority = ANY($2::smallint[]) AND due_at IS NOT NULL
  AND subject_id = ANY($3::bigint[])

-- hold --
SELECT FROM syncs WHERE destination = $2 AND subject_id = ANY($1::bigint[])
ORDER BY subject_id FOR UPDATE

-- load --
SELECT y.subject_id, y.fence, y.synced_status, y.attempts,
       COALESCE(now() - y.failing_since, interval '0') AS failing_for,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state,
       COALESCE(news.at, s.updated_at) AS at, news.occurred_at, news.event_ids
FROM unnest($1::bigint[], $2::bigint[]) AS held (subject_id, fence)
JOIN syncs y ON y.subject_id = held.subject_id AND y.destination = $3 AND y.fence = held.fence
JOIN subjects s ON s.id = y.subject_id
CROSS JOIN LATERAL (
    SELECT max(t.at) AS at, max(t.occurred_at) AS occurred_at,
           array(SELECT DISTINCT unnest(l.event_ids) FROM transitions l
                 WHERE l.subject_id = s.id AND l.version > y.synced_version
                   AND l.version <= s.version
                 ORDER BY 1 DESC LIMIT 100) AS event_ids
    FROM transitions t
    WHERE t.subject_id = s.id AND t.version = s.version
) AS news

-- intend --
UPDATE syncs SET
    intent_version = said.version, intent_hash = said.hash, intent_key = said.key,
    intent_at = now(), due_at = now() + $6::interval
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[])
    AS said (subject_id, fence, version, hash, key)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $7
  AND syncs.fence = said.fence AND syncs.due_at > now()
RETURNING syncs.subject_id

-- release --
UPDATE syncs SET lease_owner = NULL, due_at = now()
FROM unnest($1::bigint[], $2::bigint[]) AS held (subject_id, fence)
WHERE syncs.subject_id = held.subject_id AND syncs.destination = $3 AND syncs.fence = held.fence

-- settle --
UPDATE syncs SET
    synced_version = said.version, synced_status = said.status,
    state = CASE WHEN syncs.desired_version > said.version THEN 'pending' ELSE 'synced' END,
    due_at = CASE WHEN syncs.desired_version > said.version THEN now() END,
    lease_owner = NULL, attempts = 0, failing_since = NULL, error = NULL,
    intent_version = NULL, intent_hash = NULL, intent_key = NULL, intent_at = NULL,
    updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
    AS said (subject_id, fence, version, status)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $5 AND syncs.fence = said.fence
RETURNING syncs.subject_id, syncs.due_at IS NOT NULL AS more

-- retry --
UPDATE syncs SET
    state = said.state, due_at = now() + said.delay, lease_owner = NULL,
    attempts = syncs.attempts + 1, failing_since = COALESCE(syncs.failing_since, now()),
    error = said.error, updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::interval[], $5::text[])
    AS said (subject_id, fence, state, delay, error)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $6 AND syncs.fence = said.fence
RETURNING syncs.subject_id

-- kill --
UPDATE syncs SET
    state = CASE WHEN syncs.desired_version > said.version THEN 'pending' ELSE 'dead' END,
    due_at = CASE WHEN syncs.desired_version > said.version THEN now() END,
    lease_owner = NULL, attempts = syncs.attempts + 1,
    failing_since = COALESCE(syncs.failing_since, now()), error = said.error, updated_at = now()
FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[])
    AS said (subject_id, fence, version, error)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $5 AND syncs.fence = said.fence
RETURNING syncs.subject_id, syncs.state

-- attempt --
INSERT INTO attempts
    (id, operation, subject_id, destination, version, class, http_status, ms, detail)
SELECT id, operation, subject_id, $1, version, class, http_status, ms, detail
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::smallint[],
            $8::integer[], $9::text[])
    AS said (id, operation, subject_id, version, class, http_status, ms, detail)
