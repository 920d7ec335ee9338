-- bound --
SELECT set_config('statement_timeout', $1, true)

-- lifecycles --
-- One step in the index for each.
WITH RECURSIVE each AS (
    (SELECT lifecycle FROM subjects WHERE merged_into IS NULL ORDER BY lifecycle LIMIT 1)
    UNION ALL
    SELECT (SELECT s.lifecycle FROM subjects s
            WHERE s.merged_into IS NULL AND s.lifecycle > each.lifecycle
            ORDER BY s.lifecycle LIMIT 1)
    FROM each WHERE each.lifecycle IS NOT NULL
)
SELECT lifecycle FROM each WHERE lifecycle IS NOT NULL

-- counts --
-- The statuses there are, one step in the index for each, and of each at most so many.
WITH RECURSIVE each AS (
    (SELECT status FROM subjects
     WHERE lifecycle = $1 AND merged_into IS NULL ORDER BY status LIMIT 1)
    UNION ALL
    SELECT (SELECT s.status FROM subjects s
            WHERE s.lifecycle = $1 AND s.merged_into IS NULL AND s.status > each.status
            ORDER BY s.status LIMIT 1)
    FROM each WHERE each.status IS NOT NULL
)
SELECT each.status, counted.count
FROM each
CROSS JOIN LATERAL (
    SELECT count(*) FROM (
        SELECT FROM subjects s
        WHERE s.lifecycle = $1 AND s.status = each.status AND s.merged_into IS NULL LIMIT $2
    ) AS few
) AS counted
WHERE each.status IS NOT NULL

-- newest --
SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.flags, s.updated_at
FROM unnest($2::text[]) AS each (status)
CROSS JOIN LATERAL (
    SELECT id, lifecycle, scope, ref, status, version, flags, updated_at
    FROM subjects
    WHERE lifecycle = $1 AND status = each.status AND merged_into IS NULL
    ORDER BY updated_at DESC, id DESC LIMIT $3
) AS s

-- flags --
SELECT flag, count(*)
FROM (
    SELECT flags FROM subjects
    WHERE flags <> '{}' AND lifecycle = $1 AND merged_into IS NULL LIMIT $2
) AS few, unnest(flags) AS flag
GROUP BY flag
ORDER BY flag
