-- own --
-- Every event of the subject and of what was merged into it, whatever became of it.
WITH RECURSIVE family AS (
    SELECT id, lifecycle, scope, ref FROM subjects WHERE id = $1
    UNION
    SELECT s.id, s.lifecycle, s.scope, s.ref FROM family f JOIN subjects s ON s.merged_into = f.id
)
SELECT e.id, e.request_id
FROM family f
JOIN events e ON e.lifecycle = f.lifecycle AND e.scope = f.scope AND e.ref = f.ref
UNION
SELECT e.id, e.request_id
FROM family f
JOIN adoptions a ON a.subject_id = f.id
JOIN events e ON e.id = a.event_id

-- lock --
SELECT FROM events WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE

-- requests --
WITH blanked AS (
    UPDATE requests SET peer = '', path = '', query = '', headers = '{}', body = '',
                        sealed_with = NULL, erased_at = now()
    WHERE id = ANY($1::uuid[]) AND erased_at IS NULL
    RETURNING 1
)
SELECT count(*) FROM blanked

-- events --
WITH blanked AS (
    UPDATE events SET attributes = COALESCE((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(attributes) WHERE key = ANY($2::text[])
    ), '{}')
    WHERE id = ANY($1::uuid[])
    RETURNING 1
)
SELECT count(*) FROM blanked

-- states --
-- As the next fold will make it from the blanked events: no new version, nothing owed.
WITH RECURSIVE family AS (
    SELECT id FROM subjects WHERE id = $1
    UNION
    SELECT s.id FROM family f JOIN subjects s ON s.merged_into = f.id
),
folded AS (
    UPDATE subjects SET state = jsonb_set(state, '{attributes}', COALESCE((
        SELECT jsonb_object_agg(key, value) FROM jsonb_each(state -> 'attributes')
        WHERE key = ANY($2::text[])), '{}'))
    WHERE id IN (SELECT id FROM family) AND state ? 'attributes'
),
grounds AS (
    UPDATE bases SET
        state = CASE WHEN state ? 'attributes' THEN jsonb_set(state, '{attributes}', COALESCE((
            SELECT jsonb_object_agg(key, value) FROM jsonb_each(state -> 'attributes')
            WHERE key = ANY($2::text[])), '{}')) ELSE state END,
        untimed = COALESCE((
            SELECT jsonb_agg(CASE WHEN one ? 'attributes' THEN jsonb_set(one, '{attributes}',
                COALESCE((SELECT jsonb_object_agg(key, value)
                          FROM jsonb_each(one -> 'attributes')
                          WHERE key = ANY($2::text[])), '{}')) ELSE one END ORDER BY place)
            FROM jsonb_array_elements(untimed) WITH ORDINALITY AS each (one, place)), '[]')
    WHERE subject_id IN (SELECT id FROM family)
)
-- What was written is known no more, unless it is not known whether it was written.
UPDATE syncs SET written = NULL, written_hash = NULL, difference = NULL,
                 intent = CASE WHEN state = 'synced' THEN NULL ELSE intent END
WHERE subject_id IN (SELECT id FROM family)
