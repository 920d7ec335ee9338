-- count --
SELECT count(*) AS subjects, COALESCE(max(id), 0) AS last
FROM subjects
WHERE merged_into IS NULL AND ($1::text IS NULL OR lifecycle = $1)

-- page --
SELECT id, lifecycle, scope, ref
FROM subjects
WHERE id > $2 AND id <= $3 AND merged_into IS NULL AND ($1::text IS NULL OR lifecycle = $1)
ORDER BY id LIMIT $4
