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

-- counts --
SELECT COALESCE(r.source, t.source) AS source, r.last_at,
       COALESCE(r.accepted, 0) AS accepted,
       COALESCE(t.duplicate, 0) AS duplicate,
       COALESCE(t.refused, 0) AS refused,
       COALESCE(t.unavailable, 0) AS unavailable,
       f.at AS refused_at
FROM (SELECT source, sum(accepted)::bigint AS accepted, max(last_at) AS last_at
      FROM (SELECT source, count(*) AS accepted, max(received_at) AS last_at
            FROM requests GROUP BY source
            UNION ALL
            SELECT source, requests, NULL FROM ledger_totals WHERE requests > 0) AS counted
      GROUP BY source) r
FULL JOIN (SELECT source,
                  sum(duplicates)::bigint AS duplicate,
                  sum(refused)::bigint AS refused,
                  sum(unavailable)::bigint AS unavailable
           FROM request_tallies GROUP BY source) t ON t.source = r.source
LEFT JOIN LATERAL (SELECT x.at FROM refusals x
                   WHERE x.source = COALESCE(r.source, t.source)
                   ORDER BY x.id DESC LIMIT 1) f ON true
