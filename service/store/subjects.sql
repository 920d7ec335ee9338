-- lock --
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.law, s.state, s.merged_into,
       s.lifecycle_hash
FROM unnest($1::text[], $2::text[], $3::text[]) AS k (lifecycle, scope, ref)
JOIN subjects s ON s.lifecycle = k.lifecycle AND s.scope = k.scope AND s.ref = k.ref
ORDER BY s.lifecycle, s.scope, s.ref
FOR UPDATE OF s

-- lock_survivors --
WITH RECURSIVE meant (id, merged_into) AS (
    SELECT s.id, s.merged_into
    FROM unnest($1::text[], $2::text[], $3::text[]) AS k (lifecycle, scope, ref)
    JOIN subjects s ON s.lifecycle = k.lifecycle AND s.scope = k.scope AND s.ref = k.ref
    UNION
    SELECT s.id, s.merged_into FROM meant m JOIN subjects s ON s.id = m.merged_into
)
SELECT id, lifecycle, scope, ref, status, version, law, state, merged_into, lifecycle_hash
FROM subjects
WHERE id = ANY(ARRAY(SELECT id FROM meant))
ORDER BY lifecycle, scope, ref
FOR UPDATE

-- bury --
UPDATE subjects SET merged_into = $2, updated_at = now() WHERE id = $1
