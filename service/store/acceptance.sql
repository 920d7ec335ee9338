-- accept --
-- Arrays behind an OFFSET are planned alike however long they are, so that one plan serves all
-- batches: planning anew costs more than a small batch does. A column comes empty where it would
-- say the usual of all rows.
WITH said AS (
    SELECT s.source, s.hash, s.id, s.request_id, s.dedupe_key, s.lifecycle,
           COALESCE(s.scope, '') AS scope, s.ref, s.parcel, s.lane, s.status, s.code,
           s.occurred_at, s.received_at, COALESCE(s.attributes, '{}') AS attributes,
           COALESCE(s.fate, 'fold') AS fate, COALESCE(s.note, '') AS note,
           COALESCE(s.details, '{}') AS details, s.digest,
           COALESCE(s.disputed, false) AS disputed
    FROM (SELECT $1::text[] AS source, $2::bytea[] AS hash, $3::uuid[] AS id,
                 $4::uuid[] AS request_id, $5::text[] AS dedupe_key, $6::text[] AS lifecycle,
                 $7::text[] AS scope, $8::text[] AS ref, $9::text[] AS parcel, $10::text[] AS lane,
                 $11::text[] AS status, $12::text[] AS code, $13::timestamptz[] AS occurred_at,
                 $14::timestamptz[] AS received_at, $15::jsonb[] AS attributes,
                 $16::text[] AS fate, $17::text[] AS note, $18::jsonb[] AS details,
                 $19::bytea[] AS digest, $20::boolean[] AS disputed OFFSET 0) AS g
    CROSS JOIN LATERAL unnest(
        g.source, g.hash, g.id, g.request_id, g.dedupe_key, g.lifecycle, g.scope, g.ref, g.parcel,
        g.lane, g.status, g.code, g.occurred_at, g.received_at, g.attributes, g.fate, g.note,
        g.details, g.digest, g.disputed)
        AS s (source, hash, id, request_id, dedupe_key, lifecycle, scope, ref, parcel, lane,
              status, code, occurred_at, received_at, attributes, fate, note, details, digest,
              disputed)
),
keys AS (
    INSERT INTO dedupe_keys (source, hash, event_id, digest)
    SELECT source, hash, id, digest FROM said
    ON CONFLICT DO NOTHING
    RETURNING event_id
),
fresh AS (
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, parcel, lane,
                        status, code, occurred_at, received_at, attributes, fate, note, details)
    SELECT id, request_id, source, dedupe_key, lifecycle, scope, ref, parcel, lane, status, code,
           occurred_at, received_at, attributes, fate, note, details
    FROM said JOIN keys ON keys.event_id = said.id
    RETURNING request_id
),
owed AS (
    INSERT INTO outbox (event_id, due_at, published_at, trace)
    SELECT event_id,
           now() + CASE WHEN $21::boolean THEN $22::interval ELSE interval '0' END,
           CASE WHEN $21::boolean THEN now() END,
           ($24::text[])[array_position($23::uuid[], event_id)]
    FROM keys
),
arrived AS (
    SELECT a.id, a.source, a.received_at, a.peer, a.method, COALESCE(a.path, '') AS path,
           COALESCE(a.query, '') AS query, COALESCE(a.headers, '{}') AS headers, a.body,
           a.sealed_with, COALESCE(a.eventless, false) AS eventless
    FROM (SELECT $25::uuid[] AS id, $26::text[] AS source, $27::timestamptz[] AS received_at,
                 $28::text[] AS peer, $29::text[] AS method, $30::text[] AS path,
                 $31::text[] AS query, $32::jsonb[] AS headers, $33::bytea[] AS body,
                 $34::text[] AS sealed_with, $35::boolean[] AS eventless OFFSET 0) AS g
    CROSS JOIN LATERAL unnest(
        g.id, g.source, g.received_at, g.peer, g.method, g.path, g.query, g.headers, g.body,
        g.sealed_with, g.eventless)
        AS a (id, source, received_at, peer, method, path, query, headers, body, sealed_with,
              eventless)
),
stored AS (
    INSERT INTO requests (id, source, received_at, peer, method, path, query, headers, body,
                          sealed_with)
    SELECT id, source, received_at, peer, method, path, query, headers, body, sealed_with
    FROM arrived
    WHERE eventless OR id IN (SELECT request_id FROM fresh)
    ON CONFLICT DO NOTHING
    RETURNING id
),
tallied AS (
    INSERT INTO request_tallies (source, process, day, duplicates)
    SELECT source, $36::uuid, current_date, count(*)
    FROM arrived
    -- One out of a spool may have been stored before: nobody had heard of its commit.
    WHERE CASE WHEN id IN (SELECT id FROM stored) THEN false ELSE NOT is_stored(id) END
    GROUP BY source ORDER BY source
    ON CONFLICT (source, process, day)
        DO UPDATE SET duplicates = request_tallies.duplicates + excluded.duplicates
),
-- Looked up only for keys that were known: what is all new costs nothing more.
clashes AS MATERIALIZED (
    SELECT source, CASE WHEN id IN (SELECT event_id FROM keys) THEN id
                        ELSE contradicted(source, hash, digest, disputed) END AS event_id
    FROM said
    WHERE disputed OR id NOT IN (SELECT event_id FROM keys)
)
SELECT now() AS at, array(SELECT event_id FROM keys) AS fresh,
       array_agg(source) FILTER (WHERE event_id IS NOT NULL) AS clashing_sources,
       array_agg(event_id) FILTER (WHERE event_id IS NOT NULL) AS clashing_events
FROM clashes

-- tally --
INSERT INTO request_tallies (source, process, day, refused, unavailable)
SELECT source, $1::uuid, current_date, refused, unavailable
FROM unnest($2::text[], $3::bigint[], $4::bigint[]) AS said (source, refused, unavailable)
ORDER BY source
ON CONFLICT (source, process, day) DO UPDATE SET
    refused = request_tallies.refused + excluded.refused,
    unavailable = request_tallies.unavailable + excluded.unavailable
