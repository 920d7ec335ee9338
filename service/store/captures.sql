-- add --
INSERT INTO captures (source, received_at, peer, method, path, query, headers, body, weight)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)

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
       substring(body FOR $3) AS body
FROM captures
WHERE source = $1
ORDER BY id DESC
LIMIT $2

-- one --
SELECT id, received_at, peer, method, path, query, headers, length(body) AS body_bytes, body
FROM captures
WHERE source = $1 AND id = $2

-- whole --
SELECT received_at, peer, method, path, query, headers, body
FROM captures
WHERE source = $1
ORDER BY id
LIMIT $2
