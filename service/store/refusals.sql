-- add --
INSERT INTO refusals
    (id, source, at, reason, peer, method, header_names, body_sha256, body_bytes, skew, cause)
SELECT id, source, at, reason, peer, method, header_names::text[], body_sha256, body_bytes, skew,
       cause
FROM unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[],
            $7::text[], $8::bytea[], $9::integer[], $10::interval[],
            $11::text[])
    AS said (id, source, at, reason, peer, method, header_names, body_sha256, body_bytes, skew,
             cause)
ON CONFLICT DO NOTHING

-- trim --
DELETE FROM refusals WHERE id = ANY(ARRAY(
    SELECT old.id
    FROM unnest($1::text[]) AS said (source),
    LATERAL (SELECT r.id FROM refusals r WHERE r.source = said.source
             ORDER BY r.id DESC OFFSET $2 FOR UPDATE SKIP LOCKED) AS old
))

-- of_source --
SELECT id, at, reason, peer, method, header_names, body_sha256, body_bytes, skew, cause
FROM refusals
WHERE source = $1
ORDER BY id DESC
LIMIT $2
