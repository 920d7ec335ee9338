-- add --
-- What waits for a second person is not due.
INSERT INTO jobs (id, kind, actor, request, rate, matched, state, due_at)
VALUES ($1, $2, $3, $4, $5, $6,
        CASE WHEN $8::boolean THEN 'awaiting_approval'
             WHEN $7::interval IS NULL THEN 'queued' ELSE 'running' END,
        CASE WHEN NOT $8::boolean THEN now() + COALESCE($7::interval, interval '0') END)
RETURNING *

-- claim --
UPDATE jobs SET state = 'running', due_at = now() + $2::interval
WHERE id = (
    SELECT id FROM jobs
    WHERE due_at <= now() AND kind = ANY($1::text[])
    ORDER BY due_at LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING *

-- hold --
-- The due time is the fence: whoever claimed the job meanwhile has moved it.
SELECT * FROM jobs WHERE id = $1 AND due_at = $2 FOR UPDATE

-- advance --
UPDATE jobs SET cursor = $2, done = done + $3, skipped = skipped + $4, due_at = now() + $5::interval,
                counts = $6::jsonb
WHERE id = $1
RETURNING *

-- finish --
UPDATE jobs SET state = 'finished', cursor = NULL, due_at = NULL, finished_at = now(),
                done = done + $2, skipped = GREATEST(skipped + $3, matched - done - $2),
                counts = $4::jsonb
WHERE id = $1
RETURNING *

-- fail --
UPDATE jobs SET state = 'failed', due_at = NULL, finished_at = now(), error = $3
WHERE id = $1 AND due_at = $2

-- release --
UPDATE jobs SET due_at = now() WHERE id = $1 AND due_at = $2

-- read --
SELECT * FROM jobs WHERE id = $1

-- bound --
SELECT set_config('statement_timeout', $1, true)

-- listed --
SELECT * FROM jobs
WHERE ($1::text IS NULL OR kind = $1)
  AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR id < $3)
ORDER BY id DESC
LIMIT $4

-- lock --
SELECT * FROM jobs WHERE id = $1 FOR UPDATE

-- approve --
UPDATE jobs SET state = 'queued', due_at = now(), approved_by = $2
WHERE id = $1
RETURNING *

-- cancel --
-- Without a due time its stride finds that it is nobody's any more.
UPDATE jobs SET state = 'cancelled', cursor = NULL, due_at = NULL, finished_at = now(), error = $2
WHERE id = $1
RETURNING *

-- overdue --
SELECT * FROM jobs
WHERE state = 'awaiting_approval' AND created_at <= now() - $1::interval
ORDER BY created_at LIMIT $2
FOR UPDATE SKIP LOCKED

-- turn --
-- Whether a destination's reconciliation is under way, and whether the last one began long ago.
SELECT bool_or(state IN ('queued', 'running')) IS TRUE AS busy,
       COALESCE(max(created_at) <= now() - $2::interval, true) AS due
FROM jobs WHERE kind = 'reconcile' AND request ->> 'destination' = $1

-- alone --
SELECT pg_advisory_xact_lock(hashtextextended('reconcile ' || $1::text, 0))
