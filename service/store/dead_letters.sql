-- bury_events --
INSERT INTO dead_letters (id, kind, event_id, reason, summary)
SELECT id, 'event', event_id, reason, summary
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS said (id, event_id, reason, summary)
ON CONFLICT (event_id) WHERE kind = 'event' AND resolved_at IS NULL
    DO UPDATE SET last_at = now(), reason = excluded.reason, summary = excluded.summary

-- bury_syncs --
INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary)
SELECT id, 'sync', subject_id, $2, reason, summary
FROM unnest($1::uuid[], $3::bigint[], $4::text[], $5::text[]) AS said (id, subject_id, reason, summary)
ON CONFLICT (subject_id, destination) WHERE kind = 'sync' AND resolved_at IS NULL
    DO UPDATE SET last_at = now(), reason = excluded.reason, summary = excluded.summary

-- supersede_syncs --
WITH closed AS (
    SELECT d.id
    FROM unnest($1::bigint[], $2::text[]) AS said (subject_id, destination)
    CROSS JOIN LATERAL (
        SELECT id FROM dead_letters
        WHERE subject_id = said.subject_id AND destination = said.destination
          AND kind = 'sync' AND resolved_at IS NULL
        LIMIT 1 FOR UPDATE
    ) AS d
)
UPDATE dead_letters SET resolved_at = now(), resolution = 'superseded'
WHERE id = ANY(ARRAY(SELECT id FROM closed))

-- bound --
SELECT set_config('statement_timeout', $1, true)

-- queues --
WITH causes AS (
    SELECT kind, destination, reason, count(*) AS count, min(first_at) AS oldest,
           max(last_at) AS newest
    FROM dead_letters
    WHERE resolved_at IS NULL
    GROUP BY kind, destination, reason
)
SELECT c.kind, c.destination, c.reason, c.count, c.oldest, c.newest, d.id AS sample_id,
       d.summary AS sample
FROM causes c
-- An index is not asked for what may be null or a text, but for either.
LEFT JOIN LATERAL (
    (SELECT id, summary FROM dead_letters
     WHERE resolved_at IS NULL AND kind = c.kind AND destination = c.destination
       AND reason = c.reason
     ORDER BY id DESC LIMIT 1)
    UNION ALL
    (SELECT id, summary FROM dead_letters
     WHERE resolved_at IS NULL AND kind = c.kind AND destination IS NULL
       AND c.destination IS NULL AND reason = c.reason
     ORDER BY id DESC LIMIT 1)
) d ON true
ORDER BY c.kind, c.destination, c.count DESC, c.reason

-- letters --
SELECT d.id, d.kind, d.event_id, d.subject_id, d.destination, d.reason, d.summary, d.first_at,
       d.last_at, d.resolved_at, d.resolution,
       COALESCE(s.lifecycle, e.lifecycle) AS lifecycle, COALESCE(s.scope, e.scope) AS scope,
       COALESCE(s.ref, e.ref) AS ref, e.lifecycle AS of, e.details -> 'aliases' AS aliases
FROM (
    SELECT * FROM dead_letters d
    WHERE CASE WHEN $11::text IS NULL THEN d.resolved_at IS NULL ELSE d.resolution = $11 END
      AND ($1::text IS NULL OR d.kind = $1)
      AND ($2::text IS NULL OR d.destination = $2)
      AND ($3::text IS NULL OR d.reason = $3)
      -- Only events have a source, and they have no destination: said so that the index is of use.
      AND ($4::text IS NULL OR (d.source = $4 AND d.kind = 'event'))
      AND (($4::text IS NULL AND $1::text IS DISTINCT FROM 'event') OR d.destination IS NULL)
      -- "order/a:b" may be read as scope a, ref b, or as ref a:b without a scope.
      AND ($5::text IS NULL
           OR d.id = ANY(ARRAY(
               SELECT x.id FROM subjects n JOIN dead_letters x ON x.subject_id = n.id AND x.kind = 'sync'
               WHERE (n.lifecycle, n.scope, n.ref) IN (($5, '', $6), ($5, $7, $8))
                 AND CASE WHEN $11::text IS NULL THEN x.resolved_at IS NULL ELSE x.resolution = $11 END
               UNION ALL
               SELECT x.id FROM events n JOIN dead_letters x ON x.event_id = n.id AND x.kind = 'event'
               WHERE (n.lifecycle, n.scope, n.ref) IN (($5, '', $6), ($5, $7, $8))
                 AND CASE WHEN $11::text IS NULL THEN x.resolved_at IS NULL ELSE x.resolution = $11 END)))
      AND ($9::uuid IS NULL OR d.id < $9)
    ORDER BY d.id DESC
    LIMIT $10
) AS d
-- Looked up for what is shown, however many would fit.
LEFT JOIN LATERAL (SELECT * FROM events WHERE id = d.event_id LIMIT 1) AS e ON true
LEFT JOIN subjects s ON s.id = d.subject_id
ORDER BY d.id DESC

-- letter --
SELECT d.id, d.kind, d.event_id, d.subject_id, d.destination, d.reason, d.summary, d.first_at,
       d.last_at, d.resolved_at, d.resolution,
       COALESCE(s.lifecycle, e.lifecycle) AS lifecycle, COALESCE(s.scope, e.scope) AS scope,
       COALESCE(s.ref, e.ref) AS ref, e.lifecycle AS of, e.details -> 'aliases' AS aliases
FROM dead_letters d
LEFT JOIN events e ON e.id = d.event_id
LEFT JOIN subjects s ON s.id = d.subject_id
WHERE d.id = $1

-- redriven --
-- How often what a letter stands for was driven again before it came.
SELECT d.id,
       (SELECT count(*) FROM dead_letters b
        WHERE b.resolution = 'redriven' AND b.event_id = d.event_id AND b.id < d.id)
       + (SELECT count(*) FROM dead_letters b
          WHERE b.resolution = 'redriven' AND b.event_id IS NULL AND b.subject_id = d.subject_id
            AND b.destination = d.destination AND b.id < d.id) AS times
FROM dead_letters d
WHERE d.id = ANY($1::uuid[])

-- attempts --
-- The exchanges since the version the destination is known to have, the last of each letter.
SELECT d.id AS letter_id, a.at, a.operation, a.class, a.http_status, a.ms, a.detail
FROM dead_letters d
JOIN syncs y ON y.subject_id = d.subject_id AND y.destination = d.destination
CROSS JOIN LATERAL (
    SELECT a.id, a.at, a.operation, a.class, a.http_status, a.ms, a.detail
    FROM attempts a
    WHERE a.subject_id = d.subject_id AND a.destination = d.destination
      AND a.version > y.synced_version
    ORDER BY a.id DESC LIMIT $2
) AS a
WHERE d.id = ANY($1::uuid[]) AND d.kind = 'sync'
ORDER BY a.id

-- known --
SELECT id FROM dead_letters WHERE id = ANY($1::uuid[])

-- count --
-- What is right already: a letter that was closed, which only an id can name, and one of a sync
-- that our record shows at the version that died.
SELECT count(*) AS matched,
       count(*) FILTER (WHERE d.resolved_at IS NOT NULL OR y.synced_version >= y.desired_version)
           AS already_right
FROM dead_letters d
LEFT JOIN syncs y ON y.subject_id = d.subject_id AND y.destination = d.destination
WHERE CASE WHEN $1::uuid[] IS NULL THEN d.resolved_at IS NULL ELSE d.id = ANY($1) END
  AND (d.kind = 'event' OR y.subject_id IS NOT NULL)
  AND ($2::text IS NULL OR d.kind = $2)
  AND ($3::text IS NULL OR d.destination = $3)
  AND ($4::text IS NULL OR d.reason = $4)
  AND ($5::text IS NULL OR (d.source = $5 AND d.kind = 'event'))
  AND (($5::text IS NULL AND $2::text IS DISTINCT FROM 'event') OR d.destination IS NULL)
  AND ($6::text IS NULL
       OR d.id = ANY(ARRAY(
           SELECT x.id FROM subjects n JOIN dead_letters x ON x.subject_id = n.id AND x.kind = 'sync'
           WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
             AND x.resolved_at IS NULL
           UNION ALL
           SELECT x.id FROM events n JOIN dead_letters x ON x.event_id = n.id AND x.kind = 'event'
           WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
             AND x.resolved_at IS NULL)))

-- open --
SELECT EXISTS (
    SELECT FROM dead_letters d
    LEFT JOIN syncs y ON y.subject_id = d.subject_id AND y.destination = d.destination
    WHERE d.resolved_at IS NULL
      AND ($1::uuid[] IS NULL OR d.id = ANY($1))
      AND (d.kind = 'event' OR y.subject_id IS NOT NULL)
      AND ($2::text IS NULL OR d.kind = $2)
      AND ($3::text IS NULL OR d.destination = $3)
      AND ($4::text IS NULL OR d.reason = $4)
      AND ($5::text IS NULL OR (d.source = $5 AND d.kind = 'event'))
      AND (($5::text IS NULL AND $2::text IS DISTINCT FROM 'event') OR d.destination IS NULL)
      AND ($6::text IS NULL
           OR d.id = ANY(ARRAY(
               SELECT x.id FROM subjects n JOIN dead_letters x ON x.subject_id = n.id AND x.kind = 'sync'
               WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
                 AND x.resolved_at IS NULL
               UNION ALL
               SELECT x.id FROM events n JOIN dead_letters x ON x.event_id = n.id AND x.kind = 'event'
               WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
                 AND x.resolved_at IS NULL)))
      AND d.id <= $10
)

-- take_events --
SELECT d.id
FROM dead_letters d
WHERE d.resolved_at IS NULL AND d.kind = 'event'
  AND ($1::uuid[] IS NULL OR d.id = ANY($1))
  AND ($2::text IS NULL OR d.kind = $2)
  AND ($3::text IS NULL OR d.destination = $3)
  AND ($4::text IS NULL OR d.reason = $4)
  AND ($5::text IS NULL OR d.source = $5)
  AND ($6::text IS NULL
       OR d.id = ANY(ARRAY(
           SELECT x.id FROM events n JOIN dead_letters x ON x.event_id = n.id AND x.kind = 'event'
           WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
             AND x.resolved_at IS NULL)))
  AND d.id <= $10 AND ($11::uuid IS NULL OR d.id > $11)
ORDER BY d.id LIMIT $12
FOR UPDATE OF d SKIP LOCKED

-- take_syncs --
-- Whoever holds the sync will want the letter next, so neither is waited for.
SELECT d.id
FROM dead_letters d
JOIN syncs y ON y.subject_id = d.subject_id AND y.destination = d.destination
WHERE d.resolved_at IS NULL AND d.kind = 'sync'
  AND ($1::uuid[] IS NULL OR d.id = ANY($1))
  AND ($2::text IS NULL OR d.kind = $2)
  AND ($3::text IS NULL OR d.destination = $3)
  AND ($4::text IS NULL OR d.reason = $4)
  AND $5::text IS NULL  -- a sync has no source
  AND ($6::text IS NULL
       OR d.id = ANY(ARRAY(
           SELECT x.id FROM subjects n JOIN dead_letters x ON x.subject_id = n.id AND x.kind = 'sync'
           WHERE (n.lifecycle, n.scope, n.ref) IN (($6, '', $7), ($6, $8, $9))
             AND x.resolved_at IS NULL)))
  AND d.id <= $10 AND ($11::uuid IS NULL OR d.id > $11)
ORDER BY d.id LIMIT $12
FOR UPDATE OF d, y SKIP LOCKED

-- redrive_events --
-- A poisonous one stays alone: its neighbours have done nothing.
WITH closed AS (
    UPDATE dead_letters SET resolved_at = now(), resolution = 'redriven'
    WHERE id = ANY($1::uuid[])
    RETURNING event_id, reason
),
owed AS (
    INSERT INTO outbox (event_id, priority, due_at, solo)
    SELECT event_id, 9, now(), reason = 'poison' FROM closed
    WHERE EXISTS (SELECT FROM events e WHERE e.id = closed.event_id)
    ON CONFLICT DO NOTHING
)
SELECT count(*) FROM closed

-- redrive_syncs --
WITH closed AS (
    UPDATE dead_letters SET resolved_at = now(), resolution = 'redriven'
    WHERE id = ANY($1::uuid[])
    RETURNING subject_id, destination
),
owed AS (
    UPDATE syncs SET
        state = CASE WHEN synced_version >= desired_version THEN 'synced' ELSE 'pending' END,
        due_at = CASE WHEN synced_version < desired_version THEN now() END,
        lease_owner = NULL, attempts = 0, failing_since = NULL, error = NULL, updated_at = now()
    FROM closed
    WHERE syncs.subject_id = closed.subject_id AND syncs.destination = closed.destination
    RETURNING syncs.state
)
SELECT count(*) FROM owed WHERE state = 'pending'

-- discard_events --
WITH closed AS (
    UPDATE dead_letters SET resolved_at = now(), resolution = 'discarded'
    WHERE id = ANY($1::uuid[])
    RETURNING event_id
),
decided AS (
    INSERT INTO event_outcomes (event_id, outcome, reason)
    SELECT event_id, 'discarded', $2 FROM closed
    WHERE EXISTS (SELECT FROM events e WHERE e.id = closed.event_id)
    ON CONFLICT (event_id) DO UPDATE SET
        outcome = excluded.outcome, reason = excluded.reason, decided_at = now()
)
SELECT count(*) FROM closed

-- discard_syncs --
WITH closed AS (
    UPDATE dead_letters SET resolved_at = now(), resolution = 'discarded'
    WHERE id = ANY($1::uuid[])
    RETURNING subject_id, destination
),
held AS (
    UPDATE syncs SET
        state = CASE WHEN synced_version >= desired_version THEN 'synced' ELSE 'held' END,
        due_at = NULL, lease_owner = NULL, error = $2, updated_at = now()
    FROM closed
    WHERE syncs.subject_id = closed.subject_id AND syncs.destination = closed.destination
    RETURNING syncs.state
)
SELECT count(*) FROM held WHERE state = 'held'

-- fates --
-- What became of the letters redriven since then: still on the way, or dead again.
SELECT count(*) FILTER (WHERE CASE d.kind WHEN 'event' THEN x.event_id IS NOT NULL
                              ELSE y.state IN ('pending', 'no_record') END) AS owed,
       count(*) FILTER (WHERE CASE d.kind WHEN 'event' THEN again.id IS NOT NULL
                              ELSE y.state = 'dead' END) AS dead
FROM dead_letters d
LEFT JOIN outbox x ON x.event_id = d.event_id
LEFT JOIN dead_letters again
    ON again.event_id = d.event_id AND again.kind = 'event' AND again.resolved_at IS NULL
LEFT JOIN syncs y ON y.subject_id = d.subject_id AND y.destination = d.destination
WHERE d.resolution = 'redriven' AND d.resolved_at >= $1
