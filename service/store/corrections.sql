-- correct --
INSERT INTO corrections (subject_id, lane, status, reason, actor)
VALUES ($1, $2, $3, $4, $5)
RETURNING id

-- find --
SELECT id, subject_id, lane, status, released_at, released_by
FROM corrections
WHERE id = $1
FOR UPDATE

-- release --
UPDATE corrections SET released_at = now(), released_by = $2
WHERE id = $1 AND released_at IS NULL

-- roll_back --
INSERT INTO rollbacks (event_id, subject_id, reason, actor)
VALUES ($1, $2, $3, $4)
ON CONFLICT (event_id) DO NOTHING

-- event --
-- Where an event belongs, and what became of it; the subject it names, or the one that took it in.
SELECT e.id, e.lane, e.status, COALESCE(h.id, s.id) AS subject_id,
       COALESCE(h.lifecycle, s.lifecycle) AS lifecycle, COALESCE(h.scope, s.scope) AS scope,
       COALESCE(h.ref, s.ref) AS ref,
       CASE WHEN x.event_id IS NOT NULL THEN 'pending'
            WHEN d.event_id IS NOT NULL THEN 'dead'
            ELSE o.outcome END AS outcome,
       r.actor AS rolled_back_by, r.at AS rolled_back_at
FROM events e
LEFT JOIN subjects s ON s.lifecycle = e.lifecycle AND s.scope = e.scope AND s.ref = e.ref
LEFT JOIN adoptions a ON a.event_id = e.id
LEFT JOIN subjects h ON h.id = a.subject_id
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
LEFT JOIN rollbacks r ON r.event_id = e.id
WHERE e.id = $1

-- survivor --
-- The subject that stands for this one today: itself, unless it was merged.
WITH RECURSIVE upward AS (
    SELECT id, merged_into FROM subjects WHERE id = $1
    UNION
    SELECT s.id, s.merged_into FROM upward u JOIN subjects s ON s.id = u.merged_into
)
SELECT s.id, s.lifecycle, s.scope, s.ref
FROM upward u JOIN subjects s ON s.id = u.id
WHERE u.merged_into IS NULL
