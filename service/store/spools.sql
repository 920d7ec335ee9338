-- report --
INSERT INTO spools (id, gateway, entries, bytes, damaged, oldest_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (id) DO UPDATE SET
    gateway = excluded.gateway, entries = excluded.entries, bytes = excluded.bytes,
    damaged = excluded.damaged, oldest_at = excluded.oldest_at, reported_at = now()

-- leave --
DELETE FROM spools WHERE id = $1

-- list --
SELECT id, gateway, entries, bytes, damaged, oldest_at, reported_at,
       reported_at < now() - $1::interval AS silent
FROM spools ORDER BY gateway, id

-- locked --
SELECT id, gateway, entries, bytes, damaged, oldest_at, reported_at,
       reported_at < now() - $2::interval AS silent, reported_at < now() - $3::interval AS gone
FROM spools WHERE id = $1 FOR UPDATE
