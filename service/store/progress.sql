-- report --
INSERT INTO progress AS known (queue, taken_published_at)
VALUES ($1, least(coalesce($2, now()), now()))
ON CONFLICT (queue) DO UPDATE SET
    taken_published_at = greatest(known.taken_published_at, excluded.taken_published_at),
    reported_at = now()

-- read --
SELECT CASE WHEN count(*) = cardinality($1::text[]) THEN min(taken_published_at) END
FROM progress
WHERE queue = ANY($1::text[])
