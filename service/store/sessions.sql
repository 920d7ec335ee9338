-- begin --
-- A link that began a session before begins no other one.
INSERT INTO console_sessions (id, link, actor, role, expires_at)
VALUES ($1, $2, $3, $4, now() + $5::interval)
ON CONFLICT (link) DO NOTHING
RETURNING true

-- find --
SELECT actor, role, seen_at < now() - interval '1 minute' AS stale
FROM console_sessions
WHERE id = $1 AND ended_at IS NULL AND expires_at > now() AND seen_at > now() - $2::interval

-- see --
UPDATE console_sessions SET seen_at = now() WHERE id = $1 AND ended_at IS NULL

-- end --
UPDATE console_sessions SET ended_at = now() WHERE id = $1 AND ended_at IS NULL RETURNING actor

-- forget --
DELETE FROM console_sessions
WHERE id = ANY(ARRAY(
    SELECT id FROM console_sessions WHERE expires_at < now() - interval '1 day' LIMIT 1000
))

-- depart --
INSERT INTO console_departures (id, browser, nonce, verifier, wanted, expires_at)
VALUES ($1, $2, $3, $4, $5, now() + $6::interval)

-- arrive --
-- Once, in the browser that left.
DELETE FROM console_departures
WHERE id = $1 AND browser = $2 AND expires_at > now()
RETURNING nonce, verifier, wanted

-- tidy --
DELETE FROM console_departures
WHERE id = ANY(ARRAY(SELECT id FROM console_departures WHERE expires_at < now() LIMIT 1000))
