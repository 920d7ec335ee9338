-- lock --
-- The same locks in the same order as `folding.take`.
SELECT pg_advisory_xact_lock(hash)
FROM (
    SELECT DISTINCT hashtextextended(lifecycle || '/' || type || '=' || value, 0) AS hash
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (lifecycle, type, value)
    ORDER BY hash
) AS ordered

-- lock_late --
SELECT bool_and(pg_try_advisory_xact_lock(hash))
FROM (
    SELECT DISTINCT hashtextextended(lifecycle || '/' || type || '=' || value, 0) AS hash
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (lifecycle, type, value)
    ORDER BY hash
) AS ordered

-- claims --
WITH RECURSIVE said AS (
    SELECT a.id, a.lifecycle, a.type, a.value, a.subject_id, a.kind, a.claimant, a.made_at
    FROM unnest($1::text[], $2::text[], $3::text[]) AS n (lifecycle, type, value)
    CROSS JOIN LATERAL (
        SELECT * FROM aliases
        WHERE lifecycle = n.lifecycle AND type = n.type AND value = n.value AND revoked_at IS NULL
        OFFSET 0
    ) AS a
),
upward AS (
    SELECT DISTINCT subject_id AS claimed, subject_id AS id FROM said
    UNION
    SELECT u.claimed, s.merged_into
    FROM upward u
    CROSS JOIN LATERAL (SELECT merged_into FROM subjects WHERE id = u.id LIMIT 1) AS s
    WHERE s.merged_into IS NOT NULL
)
SELECT said.id, said.lifecycle, said.type, said.value, s.scope, s.ref, u.id AS root, said.kind,
       said.claimant, said.made_at
FROM said
JOIN upward u ON u.claimed = said.subject_id
CROSS JOIN LATERAL (SELECT merged_into FROM subjects WHERE id = u.id LIMIT 1) AS r
CROSS JOIN LATERAL (SELECT * FROM subjects WHERE id = said.subject_id LIMIT 1) AS s
WHERE r.merged_into IS NULL
ORDER BY said.id
