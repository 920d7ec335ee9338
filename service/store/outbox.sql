-- survey --
SELECT now() AS at,
       least(due.oldest, now() - $5::interval) AS due,
       least(handed.oldest, now() - $5::interval) AS published,
       handed.unfinished
FROM (
    SELECT min(first.due_at) AS oldest
    FROM unnest($6::smallint[]) AS class (priority),
    LATERAL (
        SELECT due_at FROM outbox
        WHERE priority = class.priority AND due_at >= coalesce($1::timestamptz, '-infinity')
        ORDER BY due_at LIMIT 1
    ) AS first
) AS due, (
    SELECT min(published_at) AS oldest, count(*) AS unfinished
    FROM (
        SELECT published_at FROM outbox
        WHERE published_at >= coalesce($2::timestamptz, '-infinity')
          AND (published_at >= coalesce($3::timestamptz, '-infinity') OR due_at > now())
        ORDER BY published_at LIMIT $4
    ) AS counted
) AS handed

-- claim --
WITH claimed AS (
    UPDATE outbox SET published_at = now(), due_at = now() + $4::interval
    WHERE event_id = ANY(ARRAY(
        SELECT due.event_id
        FROM unnest($5::smallint[]) AS class (priority),
        LATERAL (
            SELECT event_id, priority, due_at FROM outbox
            WHERE priority = class.priority
              AND due_at >= coalesce($1::timestamptz, '-infinity') AND due_at <= now()
              AND (published_at IS NULL
                   OR published_at < coalesce($2::timestamptz, '-infinity'))
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
        ) AS due
        ORDER BY due.priority, due.due_at LIMIT $3
    ))
    RETURNING event_id, priority, crashes, solo, trace
)
SELECT event_id, crashes, solo, trace FROM claimed ORDER BY priority, event_id

-- release --
UPDATE outbox SET published_at = NULL, due_at = now() + $3::interval
WHERE event_id = ANY(ARRAY(
    SELECT event_id FROM outbox
    WHERE event_id = ANY($1::uuid[]) AND published_at = $2
    FOR UPDATE SKIP LOCKED
))

-- take --
SELECT event_id, crashes, solo FROM outbox
WHERE event_id = ANY($1::uuid[])
ORDER BY event_id FOR UPDATE SKIP LOCKED

-- finish --
DELETE FROM outbox WHERE event_id = ANY($1::uuid[])

-- postpone --
UPDATE outbox SET published_at = NULL, due_at = now() + $2::interval,
                  crashes = crashes + $3::boolean::int, solo = solo OR $3::boolean
WHERE event_id = ANY($1::uuid[])

-- suspect --
UPDATE outbox SET crashes = crashes + (NOT solo)::int, solo = true,
                  published_at = NULL, due_at = now()
WHERE event_id = ANY(ARRAY(
    SELECT event_id FROM outbox
    WHERE event_id = ANY($1::uuid[])
      -- A solo entry that is not published is on trial or put off; a copy of its message is stale.
      AND NOT (solo AND published_at IS NULL)
    ORDER BY event_id FOR UPDATE SKIP LOCKED
))

-- begin --
UPDATE outbox SET crashes = crashes + 1, published_at = NULL, due_at = now() + $2::interval
WHERE event_id = ANY(ARRAY(
    SELECT event_id FROM outbox
    WHERE event_id = $1 AND solo AND (published_at IS NOT NULL OR due_at <= now())
    FOR UPDATE SKIP LOCKED
))
RETURNING event_id, crashes, solo
