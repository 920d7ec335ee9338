-- count --
SELECT count(*) AS subjects, COALESCE(max(s.id), 0) AS last,
       count(*) FILTER (WHERE s.state IS NOT NULL AND k.hash IS NOT NULL
                          AND (s.law < $4 OR s.lifecycle_hash <> k.hash)) AS behind
FROM subjects s
LEFT JOIN unnest($2::text[], $3::text[]) AS k (lifecycle, hash) ON k.lifecycle = s.lifecycle
WHERE s.merged_into IS NULL AND ($1::text IS NULL OR s.lifecycle = $1)

-- page --
SELECT id, lifecycle, scope, ref
FROM subjects
WHERE id > $2 AND id <= $3 AND merged_into IS NULL AND ($1::text IS NULL OR lifecycle = $1)
ORDER BY id LIMIT $4
