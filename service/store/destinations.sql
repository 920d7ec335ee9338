-- look --
SELECT paused_at IS NOT NULL AS paused, breaker,
       GREATEST(extract(epoch FROM next_probe_at - clock_timestamp())::float8, 0) AS probe_in
FROM destinations WHERE name = $1

-- open --
INSERT INTO destinations (name, breaker, opened_at, next_probe_at, last_error)
VALUES ($1, 'open', now(), now() + $2::interval, $3)
ON CONFLICT (name) DO UPDATE SET
    breaker = 'open', opened_at = now(), next_probe_at = excluded.next_probe_at, probes = 0,
    last_error = excluded.last_error, updated_at = now()
WHERE destinations.breaker = 'closed'
RETURNING name

-- probe --
-- Whoever moves the time of the next probe has this one; the count is its fence.
UPDATE destinations SET
    breaker = 'half_open', next_probe_at = clock_timestamp() + $2::interval, probes = probes + 1,
    updated_at = now()
WHERE name = $1 AND breaker <> 'closed' AND paused_at IS NULL
  AND next_probe_at <= clock_timestamp()
RETURNING probes

-- failed --
UPDATE destinations SET
    breaker = 'open', next_probe_at = now() + $3::interval, last_error = $4, updated_at = now()
WHERE name = $1 AND breaker = 'half_open' AND probes = $2

-- forgo --
UPDATE destinations SET
    breaker = 'open', next_probe_at = now(), probes = probes - 1, updated_at = now()
WHERE name = $1 AND breaker = 'half_open' AND probes = $2

-- close --
UPDATE destinations SET
    breaker = 'closed', opened_at = NULL, next_probe_at = NULL, probes = 0, last_error = NULL,
    updated_at = now()
WHERE name = $1 AND breaker <> 'closed'
RETURNING name

-- pause --
INSERT INTO destinations (name, paused_at, paused_by, pause_cause, pause_reason)
VALUES ($1, now(), $2, $3, $4)
ON CONFLICT (name) DO UPDATE SET
    paused_at = COALESCE(destinations.paused_at, now()), paused_by = excluded.paused_by,
    pause_cause = excluded.pause_cause, pause_reason = excluded.pause_reason, updated_at = now()
-- A person may take over a pause, a worker may not.
WHERE destinations.paused_at IS NULL OR excluded.pause_cause = 'operator'
RETURNING name

-- resume --
UPDATE destinations SET
    paused_at = NULL, paused_by = NULL, pause_cause = NULL, pause_reason = NULL,
    breaker = 'closed', opened_at = NULL, next_probe_at = NULL, probes = 0, last_error = NULL,
    updated_at = now()
WHERE name = $1 AND (paused_at IS NOT NULL OR breaker <> 'closed')
RETURNING name

-- hasten --
-- What is leased is about to be tried in any case; what is settled only waits to be read again.
UPDATE syncs SET due_at = now()
WHERE destination = $1 AND subject_id = ANY(ARRAY(
    SELECT subject_id FROM syncs
    WHERE destination = $1 AND due_at > now() AND lease_owner IS NULL AND state <> 'synced'
    ORDER BY subject_id LIMIT $2
    FOR UPDATE SKIP LOCKED
))

-- states --
SELECT name, paused_at, paused_by, pause_cause, pause_reason, breaker, opened_at, next_probe_at,
       last_error
FROM destinations
ORDER BY name
