-- arrived --
-- Names of events for which others wait that take them back: those that are at a subject by now.
SELECT DISTINCT w.lifecycle, w.type, w.value
FROM waiting w
CROSS JOIN LATERAL (
    SELECT event_id FROM dedupe_keys
    WHERE source = substring(w.type FROM 7)
      AND hash = CASE WHEN w.value ~ '^[0-9a-f]{32}$' THEN decode(w.value, 'hex') END
    LIMIT 1
) AS d
CROSS JOIN LATERAL (SELECT id, ref, fate FROM events WHERE id = d.event_id LIMIT 1) AS n
WHERE starts_with(w.type, 'event:') AND n.fate = 'fold'
  AND (SELECT x.event_id FROM outbox x WHERE x.event_id = n.id) IS NULL
  AND (SELECT l.id FROM dead_letters l
       WHERE l.event_id = n.id AND l.kind = 'event' AND l.resolved_at IS NULL) IS NULL
  AND (n.ref IS NOT NULL
       OR (SELECT a.event_id FROM adoptions a
           JOIN event_outcomes o ON o.event_id = a.event_id
           WHERE a.event_id = n.id AND o.outcome NOT IN ('discarded', 'waiting')) IS NOT NULL)
LIMIT $1

-- overdue --
-- In the order of all who lock names; one that is changed right now is left for the next time.
WITH late AS (
    SELECT DISTINCT event_id FROM (
        SELECT event_id FROM waiting WHERE deadline_at <= now() ORDER BY deadline_at LIMIT $1
    ) AS oldest
),
listed AS (
    SELECT w.event_id, w.lifecycle, w.type, w.value,
           hashtextextended(w.lifecycle || '/' || w.type || '=' || w.value, 0) AS hash
    FROM late JOIN waiting w ON w.event_id = late.event_id
),
locked AS (
    SELECT hash, pg_try_advisory_xact_lock(hash) AS mine
    FROM (SELECT DISTINCT hash FROM listed ORDER BY hash) AS ordered
)
SELECT l.event_id, e.source, e.received_at, l.lifecycle, l.type, l.value
FROM listed l JOIN events e ON e.id = l.event_id
WHERE l.event_id NOT IN (SELECT o.event_id FROM listed o JOIN locked USING (hash) WHERE NOT mine)
ORDER BY l.event_id, l.type, l.value

-- expire --
WITH late AS (
    SELECT event_id FROM waiting
    WHERE event_id = ANY($1::uuid[]) AND deadline_at <= now()
    ORDER BY event_id, type, value FOR UPDATE
),
over AS (
    UPDATE waiting SET deadline_at = NULL WHERE event_id = ANY(ARRAY(SELECT event_id FROM late))
),
undecided AS (
    DELETE FROM event_outcomes
    WHERE event_id = ANY(ARRAY(SELECT event_id FROM late)) AND outcome = 'waiting'
    RETURNING event_id
),
buried AS (
    INSERT INTO dead_letters (id, kind, event_id, reason, summary)
    SELECT said.id, 'event', said.event_id, said.reason, said.summary
    FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[])
        AS said (event_id, id, reason, summary)
    JOIN undecided ON undecided.event_id = said.event_id
    ON CONFLICT (event_id) WHERE kind = 'event' AND resolved_at IS NULL DO NOTHING
    RETURNING 1
)
SELECT count(*) FROM buried
