-- enter --
INSERT INTO subjects (lifecycle, scope, ref)
SELECT k.lifecycle, k.scope, k.ref
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (lifecycle, scope, ref)
WHERE NOT EXISTS (SELECT FROM subjects s
                  WHERE s.lifecycle = k.lifecycle AND s.scope = k.scope AND s.ref = k.ref)
ORDER BY k.lifecycle, k.scope, k.ref
ON CONFLICT DO NOTHING

-- lock --
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.law, s.state
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (lifecycle, scope, ref)
JOIN subjects s ON s.lifecycle = k.lifecycle AND s.scope = k.scope AND s.ref = k.ref
ORDER BY s.lifecycle, s.scope, s.ref
FOR UPDATE OF s

-- save --
UPDATE subjects
SET status = said.status, version = said.version, law = said.law, state = said.state,
    updated_at = now()
FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::smallint[], $5::jsonb[])
    AS said (id, status, version, law, state)
WHERE subjects.id = said.id

-- step --
INSERT INTO transitions
    (id, subject_id, version, previous, status, lanes, occurred_at, event_ids)
SELECT said.id, said.subject_id, said.version, said.previous, said.status, said.lanes,
       said.occurred_at, said.event_ids::uuid[]
FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::jsonb[],
            $7::timestamptz[], $8::text[])
    AS said (id, subject_id, version, previous, status, lanes, occurred_at, event_ids)
