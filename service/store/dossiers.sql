-- bound --
SELECT set_config('statement_timeout', $1, true)

-- family --
-- The subject that a name leads to, and all that were merged into it; the survivor first.
WITH RECURSIVE upward AS (
    SELECT id, merged_into FROM subjects WHERE lifecycle = $1 AND scope = $2 AND ref = $3
    UNION
    SELECT s.id, s.merged_into FROM upward u JOIN subjects s ON s.id = u.merged_into
), downward AS (
    SELECT id FROM upward WHERE merged_into IS NULL
    UNION
    SELECT s.id FROM downward d JOIN subjects s ON s.merged_into = d.id
)
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.state, s.flags, s.merged_into,
       s.updated_at
FROM downward d JOIN subjects s ON s.id = d.id
ORDER BY s.merged_into IS NOT NULL, s.lifecycle, s.scope, s.ref

-- syncs --
SELECT subject_id, destination, state, desired_version, synced_version, due_at, attempts, error,
       remote_id, held_for, difference
FROM syncs
WHERE subject_id = ANY($1::bigint[])
ORDER BY destination

-- claims --
-- Every standing claim on the names that the family goes by, also those of other subjects; `root`
-- is the subject that stands for the claimed one today.
WITH RECURSIVE names AS (
    SELECT DISTINCT lifecycle, type, value FROM aliases
    WHERE subject_id = ANY($1::bigint[]) AND revoked_at IS NULL
    ORDER BY type, value LIMIT $2
), claims AS (
    SELECT a.id, a.lifecycle, a.type, a.value, a.subject_id, a.kind, a.claimant, a.made_at
    FROM names n
    JOIN aliases a ON a.lifecycle = n.lifecycle AND a.type = n.type AND a.value = n.value
    WHERE a.revoked_at IS NULL
), upward AS (
    SELECT DISTINCT subject_id AS claimed, subject_id AS id FROM claims
    UNION
    SELECT u.claimed, s.merged_into FROM upward u JOIN subjects s ON s.id = u.id
    WHERE s.merged_into IS NOT NULL
)
SELECT c.type, c.value, c.kind, c.claimant, c.made_at, s.lifecycle, s.scope, s.ref, u.id AS root,
       (SELECT count(*) FROM waiting w
        WHERE w.lifecycle = c.lifecycle AND w.type = c.type AND w.value = c.value
          AND NOT EXISTS (SELECT FROM event_outcomes o
                          WHERE o.event_id = w.event_id AND o.outcome = 'discarded')) AS waiting
FROM claims c
JOIN upward u ON u.claimed = c.subject_id
JOIN subjects r ON r.id = u.id AND r.merged_into IS NULL
JOIN subjects s ON s.id = c.subject_id
ORDER BY c.type, c.value, c.id

-- corrections --
SELECT id, lane, status, reason, actor, at, released_at, released_by
FROM corrections
WHERE subject_id = ANY($1::bigint[])
ORDER BY id DESC LIMIT $2

-- actions --
SELECT id, at, actor, action, detail
FROM operator_actions
WHERE target = ANY($1::text[]) AND starts_with(action, 'subject.')
ORDER BY id DESC LIMIT $2

-- history --
SELECT e.id, e.source, e.parcel, e.lane, e.status, e.occurred_at, e.received_at,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       COALESCE(d.summary, o.reason, '') AS reason,
       r.actor AS rolled_back_by, r.reason AS rolled_back_because
FROM (
    SELECT e.id
    FROM subjects s
    JOIN events e ON e.lifecycle = s.lifecycle AND e.scope = s.scope AND e.ref = s.ref
    WHERE s.id = ANY($1::bigint[])
    UNION
    SELECT event_id FROM adoptions WHERE subject_id = ANY($1::bigint[])
    ORDER BY id DESC LIMIT $2
) AS own
JOIN events e ON e.id = own.id
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
LEFT JOIN rollbacks r ON r.event_id = e.id
ORDER BY e.id DESC
