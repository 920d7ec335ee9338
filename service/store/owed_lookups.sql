-- claim --
WITH due AS (
    SELECT event_id FROM owed_lookups
    WHERE due_at <= now()
    ORDER BY due_at LIMIT $1
    FOR UPDATE SKIP LOCKED
),
claimed AS (
    UPDATE owed_lookups SET due_at = now() + $2::interval, attempts = attempts + 1
    WHERE event_id = ANY(ARRAY(SELECT event_id FROM due))
    RETURNING event_id, source, attempts, now() - owed_since AS failing_for
)
SELECT c.*, e.details -> 'lookup' AS lookup
FROM claimed c
LEFT JOIN LATERAL (SELECT details FROM events WHERE id = c.event_id LIMIT 1) AS e ON true
ORDER BY c.event_id

-- put_off --
UPDATE owed_lookups SET due_at = now() + $3::interval WHERE event_id = $1 AND attempts = $2

-- settle --
-- An event read again may wait for something else by now.
WITH done AS (DELETE FROM owed_lookups WHERE event_id = $1)
UPDATE event_outcomes SET outcome = 'ignored', reason = $2, decided_at = now()
WHERE event_id = $1 AND outcome = 'waiting'
  AND EXISTS (SELECT FROM events e WHERE e.id = $1 AND e.fate = 'look_up')

-- give_up --
WITH done AS (DELETE FROM owed_lookups WHERE event_id = $1 AND attempts = $2 RETURNING event_id)
DELETE FROM event_outcomes o USING done
WHERE o.event_id = done.event_id AND o.outcome = 'waiting'
  AND EXISTS (SELECT FROM events e WHERE e.id = done.event_id AND e.fate = 'look_up')
RETURNING o.event_id
