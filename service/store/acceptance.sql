-- accept --
WITH keys AS (
    INSERT INTO dedupe_keys (source, hash, event_id, digest)
    SELECT source, hash, id, digest
    FROM unnest($1::text[], $2::bytea[], $3::uuid[], $34::bytea[])
        AS said (source, hash, id, digest)
    ON CONFLICT DO NOTHING
    RETURNING event_id
),
fresh AS (
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                        code, occurred_at, received_at, attributes, fate, note, parcel, details)
    SELECT said.*
    FROM unnest($3::uuid[], $4::uuid[], $1::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::timestamptz[],
                $13::timestamptz[], $14::jsonb[], $15::text[], $16::text[], $32::text[],
                $33::jsonb[])
        AS said (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                 code, occurred_at, received_at, attributes, fate, note, parcel, details)
    JOIN keys ON keys.event_id = said.id
    RETURNING id, request_id
),
owed AS (
    INSERT INTO outbox (event_id, due_at, published_at, trace)
    SELECT event_id,
           now() + CASE WHEN $17::boolean THEN $18::interval ELSE interval '0' END,
           CASE WHEN $17::boolean THEN now() END,
           ($31::text[])[array_position($30::uuid[], event_id)]
    FROM keys
),
arrived AS (
    SELECT said.*
    FROM unnest($19::uuid[], $20::text[], $21::timestamptz[], $22::text[], $23::text[],
                $24::text[], $25::text[], $26::jsonb[], $27::bytea[], $36::text[])
        AS said (id, source, received_at, peer, method, path, query, headers, body, sealed_with)
),
stored AS (
    INSERT INTO requests (id, source, received_at, peer, method, path, query, headers, body,
                          sealed_with)
    SELECT * FROM arrived
    WHERE id IN (SELECT request_id FROM fresh) OR NOT (id = ANY($4::uuid[]) OR id = ANY($28::uuid[]))
    ON CONFLICT DO NOTHING
    RETURNING id
),
tallied AS (
    INSERT INTO request_tallies (source, process, day, duplicates)
    SELECT source, $29::uuid, current_date, count(*)
    FROM arrived
    WHERE NOT EXISTS (SELECT FROM stored WHERE stored.id = arrived.id)
      -- One out of a spool may have been stored before: nobody had heard of its commit.
      AND NOT EXISTS (SELECT FROM requests r WHERE r.id = arrived.id)
    GROUP BY source ORDER BY source
    ON CONFLICT (source, process, day)
        DO UPDATE SET duplicates = request_tallies.duplicates + excluded.duplicates
),
-- Looked up only for keys that were known: what is all new costs nothing more.
known AS (
    SELECT said.*
    FROM unnest($1::text[], $2::bytea[], $3::uuid[], $34::bytea[])
        AS said (source, hash, id, digest)
    WHERE said.id NOT IN (SELECT event_id FROM keys)
),
clashes AS (
    SELECT k.source, k.event_id
    FROM known
    CROSS JOIN LATERAL (
        SELECT d.source, d.event_id, d.digest FROM dedupe_keys d
        WHERE d.source = known.source AND d.hash = known.hash
    ) AS k
    WHERE k.digest <> known.digest OR known.id = ANY($35::uuid[])
    UNION
    SELECT said.source, said.id
    FROM unnest($1::text[], $3::uuid[]) AS said (source, id)
    WHERE said.id = ANY($35::uuid[]) AND said.id IN (SELECT event_id FROM keys)
)
SELECT now() AS at, array(SELECT event_id FROM keys) AS fresh,
       array(SELECT source FROM clashes ORDER BY source, event_id) AS clashing_sources,
       array(SELECT event_id FROM clashes ORDER BY source, event_id) AS clashing_events

-- tally --
INSERT INTO request_tallies (source, process, day, refused, unavailable)
SELECT source, $1::uuid, current_date, refused, unavailable
FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS said (source, refused, unavailable)
ORDER BY source
ON CONFLICT (source, process, day) DO UPDATE SET
    refused = request_tallies.refused + excluded.refused,
    unavailable = request_tallies.unavailable + excluded.unavailable
