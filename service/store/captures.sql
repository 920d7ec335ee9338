-- add --
INSERT INTO captures (id, source, received_at, peer, method, path, query, headers, body, weight,
                      sealed_with)
OVERRIDING SYSTEM VALUE
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)

-- next --
SELECT nextval(pg_get_serial_sequence('captures', 'id'))

-- trim --
DELETE FROM captures WHERE id = ANY(ARRAY(
    SELECT old.id FROM (
        SELECT id, source,
               row_number() OVER (PARTITION BY source ORDER BY id DESC) AS place,
               sum(weight) OVER (ORDER BY id DESC) AS upto
        FROM captures
    ) AS old
    WHERE (old.source = $1 AND old.place > $2) OR old.upto > $3
))

-- forget --
DELETE FROM captures WHERE at < now() - $1::interval

-- of_source --
SELECT id, received_at, peer, method, path, query, headers, length(body) AS body_bytes,
       CASE WHEN sealed_with IS NULL THEN substring(body FOR $3) ELSE body END AS body, sealed_with
FROM captures
WHERE source = $1
ORDER BY id DESC
LIMIT $2

-- one --
SELECT id, received_at, peer, method, path, query, headers, length(body) AS body_bytes, body,
       sealed_with
FROM captures
WHERE source = $1 AND id = $2

-- whole --
SELECT id, received_at, peer, method, path, query, headers, body, sealed_with
FROM captures
WHERE source = $1
ORDER BY id
LIMIT $2
