-- bound --
-- One plan for all: over the partitions of a month, making it takes longer than running it.
SELECT set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_generic_plan', true)

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
SELECT y.subject_id, y.destination, y.state, y.desired_version, y.synced_version, y.due_at,
       y.attempts, y.error, y.remote_id, y.held_for, y.difference, y.failing_since, y.updated_at,
       y.lease_owner IS NOT NULL AS leased, d.reason AS dead_because, d.summary AS dead_summary,
       d.last_at AS dead_at
FROM syncs y
LEFT JOIN dead_letters d ON d.subject_id = y.subject_id AND d.destination = y.destination
    AND d.kind = 'sync' AND d.resolved_at IS NULL
WHERE y.subject_id = ANY($1::bigint[])
ORDER BY y.destination

-- destinations --
SELECT name, paused_at, paused_by, pause_cause, pause_reason, breaker, opened_at, next_probe_at,
       last_error
FROM destinations
WHERE name = ANY($1::text[]) AND (paused_at IS NOT NULL OR breaker <> 'closed')

-- budgets --
-- Only what nothing can be spent of now: it rests, or it is a stock that is used up.
SELECT destination, name,
       GREATEST(CASE WHEN rests_until > now() THEN rests_until END,
                CASE WHEN resets_at > now() AND used >= COALESCE(ceiling, count)
                          AND period >= interval '1 day' THEN resets_at END) AS until
FROM budgets
WHERE destination = ANY($1::text[])
  AND (rests_until > now() OR (resets_at > now() AND used >= COALESCE(ceiling, count)
                               AND period >= interval '1 day'))
ORDER BY destination, until DESC

-- versions --
-- Where the overall status moved, the latest first.
SELECT version, previous, status, occurred_at, at, cause
FROM transitions
WHERE subject_id = $1 AND (status <> previous OR version = 1)
ORDER BY version DESC LIMIT $2

-- now --
SELECT now()

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

-- bases --
-- What purged events folded to; of merged subjects until the next purge makes one of it.
SELECT subject_id, events, (state #>> '{last,0}')::timestamptz AS until, purged_at
FROM bases
WHERE subject_id = ANY($1::bigint[])
ORDER BY purged_at, subject_id

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
