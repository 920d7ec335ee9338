-- bound --
-- One plan for all: over the partitions of a month, making it takes longer than running it.
SELECT set_config('statement_timeout', $1, true),
       set_config('plan_cache_mode', 'force_generic_plan', true)

-- exact --
-- Every name that a text may be: a subject's own, in whole or in part, another name of it, the id
-- of its record at a destination, an event of it.
WITH RECURSIVE hits AS (
    (SELECT s.id, 'ref' AS by, '' AS type, s.ref AS value, '' AS claimant
     FROM subjects s WHERE s.ref = ANY($1::text[]) AND $5::text IS NULL LIMIT $7)
    UNION ALL
    (SELECT s.id, 'ref', '', s.ref, ''
     FROM unnest($2::text[], $3::text[], $4::text[]) AS named (lifecycle, scope, ref)
     JOIN subjects s ON s.ref = named.ref AND s.scope = named.scope
         AND (named.lifecycle = '' OR s.lifecycle = named.lifecycle)
     LIMIT $7)
    UNION ALL
    (SELECT a.subject_id, 'alias', a.type, a.value, a.claimant
     FROM aliases a
     WHERE a.value = ANY($1::text[]) AND ($5::text IS NULL OR a.type = $5)
       AND a.revoked_at IS NULL AND a.kind <> 'denial' LIMIT $7)
    UNION ALL
    (SELECT y.subject_id, 'record', y.destination, y.remote_id, ''
     FROM syncs y
     WHERE y.remote_id = ANY($1::text[]) AND ($5::text IS NULL OR y.destination = $5) LIMIT $7)
    UNION ALL
    (SELECT s.id, 'event', '', e.id::text, ''
     FROM events e JOIN subjects s
         ON s.lifecycle = e.lifecycle AND s.scope = e.scope AND s.ref = e.ref
     WHERE e.id = $6::uuid)
    UNION ALL
    (SELECT h.subject_id, 'event', '', h.event_id::text, ''
     FROM adoptions h WHERE h.event_id = $6::uuid)
), upward AS (
    SELECT DISTINCT id AS hit, id FROM hits
    UNION
    SELECT u.hit, s.merged_into FROM upward u JOIN subjects s ON s.id = u.id
    WHERE s.merged_into IS NOT NULL
)
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.flags, s.updated_at,
       h.by, h.type, h.value
FROM hits h
JOIN upward u ON u.hit = h.id
JOIN subjects s ON s.id = u.id AND s.merged_into IS NULL
ORDER BY s.updated_at DESC, s.id DESC
LIMIT $7

-- beginning --
-- The same for the beginning of a number; between two texts, so that the index is walked only there.
WITH RECURSIVE hits AS (
    (SELECT s.id, 'ref' AS by, '' AS type, s.ref AS value
     FROM subjects s
     WHERE s.ref ~>=~ $1::text AND s.ref ~<~ $2::text AND $3::text IS NULL
     ORDER BY s.ref USING ~<~ LIMIT $4)
    UNION ALL
    (SELECT a.subject_id, 'alias', a.type, a.value
     FROM aliases a
     WHERE a.value ~>=~ $1::text AND a.value ~<~ $2::text AND ($3::text IS NULL OR a.type = $3)
       AND a.revoked_at IS NULL AND a.kind <> 'denial'
     ORDER BY a.value USING ~<~ LIMIT $4)
), upward AS (
    SELECT DISTINCT id AS hit, id FROM hits
    UNION
    SELECT u.hit, s.merged_into FROM upward u JOIN subjects s ON s.id = u.id
    WHERE s.merged_into IS NOT NULL
)
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.flags, s.updated_at,
       h.by, h.type, h.value
FROM hits h
JOIN upward u ON u.hit = h.id
JOIN subjects s ON s.id = u.id AND s.merged_into IS NULL
ORDER BY h.value, s.id
LIMIT $4

-- waiting --
-- Events that wait for a name that nobody linked.
SELECT w.event_id, w.lifecycle, w.type, w.value, w.deadline_at, e.source, e.lane, e.status,
       e.received_at
FROM waiting w JOIN events e ON e.id = w.event_id
WHERE w.value = ANY($1::text[]) AND ($2::text IS NULL OR w.type = $2)
  AND NOT EXISTS (SELECT FROM event_outcomes o
                  WHERE o.event_id = w.event_id AND o.outcome = 'discarded')
ORDER BY w.event_id DESC
LIMIT $3

-- event --
SELECT id FROM events WHERE id = $1
