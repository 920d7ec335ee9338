-- bound --
SELECT set_config('statement_timeout', $1, true)

-- count --
SELECT count(*) AS events, count(DISTINCT e.request_id) AS requests
FROM (
    SELECT event_id FROM dead_letters
    WHERE kind = 'event' AND resolved_at IS NULL AND reason = ANY($6::text[])
    UNION ALL
    SELECT event_id FROM event_outcomes WHERE outcome = ANY($7::text[])
) AS chosen
JOIN events e ON e.id = chosen.event_id
WHERE ($1::text IS NULL OR e.source = $1)
  AND ($2::timestamptz IS NULL OR e.received_at >= $2)
  AND ($3::timestamptz IS NULL OR e.received_at < $3)
  AND ($5::uuid[] IS NULL OR e.id = ANY($5))
  AND e.id <= $4

-- page --
-- Each branch is limited by itself, so that both walk an index and neither sorts everything.
(SELECT e.id, e.request_id
 FROM dead_letters d JOIN events e ON e.id = d.event_id
 WHERE d.kind = 'event' AND d.resolved_at IS NULL AND d.reason = ANY($6::text[])
   AND d.event_id > $8 AND d.event_id <= $4 AND ($9::uuid IS NULL OR e.request_id <> $9)
   AND ($1::text IS NULL OR e.source = $1)
   AND ($2::timestamptz IS NULL OR e.received_at >= $2)
   AND ($3::timestamptz IS NULL OR e.received_at < $3)
   AND ($5::uuid[] IS NULL OR e.id = ANY($5))
 ORDER BY d.event_id LIMIT $10)
UNION ALL
(SELECT e.id, e.request_id
 FROM event_outcomes o JOIN events e ON e.id = o.event_id
 WHERE o.outcome = ANY($7::text[]) AND o.event_id > $8 AND o.event_id <= $4
   AND ($9::uuid IS NULL OR e.request_id <> $9)
   AND ($1::text IS NULL OR e.source = $1)
   AND ($2::timestamptz IS NULL OR e.received_at >= $2)
   AND ($3::timestamptz IS NULL OR e.received_at < $3)
   AND ($5::uuid[] IS NULL OR e.id = ANY($5))
 ORDER BY o.event_id LIMIT $10)
ORDER BY id LIMIT $10

-- count_empty --
SELECT count(*) FROM requests r
WHERE r.id <= $4
  AND ($1::text IS NULL OR r.source = $1)
  AND ($2::timestamptz IS NULL OR r.received_at >= $2)
  AND ($3::timestamptz IS NULL OR r.received_at < $3)
  AND NOT EXISTS (SELECT FROM events e WHERE e.request_id = r.id)

-- page_empty --
SELECT r.id FROM requests r
WHERE r.id > $5 AND r.id <= $4
  AND ($1::text IS NULL OR r.source = $1)
  AND ($2::timestamptz IS NULL OR r.received_at >= $2)
  AND ($3::timestamptz IS NULL OR r.received_at < $3)
  AND NOT EXISTS (SELECT FROM events e WHERE e.request_id = r.id)
ORDER BY r.id LIMIT $6

-- request --
-- Of an erased one nothing is left to read.
SELECT id, source, received_at, peer, method, path, query, headers, body, sealed_with
FROM requests
WHERE id = $1 AND erased_at IS NULL

-- own --
SELECT e.id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.parcel, e.lane, e.status,
       e.code, e.occurred_at, e.received_at, e.attributes, e.details, e.fate, e.note
FROM events e
WHERE e.request_id = $1
ORDER BY e.id

-- lock_own --
SELECT FROM events WHERE request_id = $1 ORDER BY id FOR UPDATE

-- lock_letters --
SELECT FROM dead_letters
WHERE kind = 'event' AND resolved_at IS NULL AND event_id = ANY($1::uuid[])
ORDER BY event_id FOR UPDATE

-- places --
SELECT e.id, o.outcome, d.reason, x.event_id IS NOT NULL AS pending
FROM unnest($1::uuid[]) AS e (id)
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id

-- known --
SELECT k.hash FROM dedupe_keys k WHERE k.source = $1 AND k.hash = ANY($2::bytea[])

-- resolve --
UPDATE dead_letters SET resolved_at = now(), resolution = 'replayed'
WHERE kind = 'event' AND resolved_at IS NULL AND event_id = ANY($1::uuid[])

-- undecide --
DELETE FROM event_outcomes WHERE event_id = ANY($1::uuid[])

-- unlist --
DELETE FROM waiting
WHERE event_id = ANY(ARRAY(SELECT event_id FROM waiting WHERE event_id = ANY($1::uuid[])
                           ORDER BY event_id, type, value FOR UPDATE))

-- orphan --
DELETE FROM adoptions WHERE event_id = ANY($1::uuid[])

-- hosts --
SELECT a.event_id, s.lifecycle, s.scope, s.ref
FROM adoptions a JOIN subjects s ON s.id = a.subject_id
WHERE a.event_id = ANY($1::uuid[])

-- followers --
WITH RECURSIVE family AS (
    SELECT id AS root, id FROM unnest($1::bigint[]) AS id
    UNION
    SELECT f.root, s.id FROM family f JOIN subjects s ON s.merged_into = f.id
)
SELECT a.event_id, f.root
FROM family f
JOIN adoptions a ON a.subject_id = f.id
JOIN events e ON e.id = a.event_id
WHERE NOT e.details ? 'aliases' AND e.details -> 'revokes' ->> 'source' = $2
  AND e.details -> 'revokes' ->> 'dedupe_key' = ANY($3::text[])

-- rewrite --
UPDATE events SET
    lifecycle = said.lifecycle, scope = said.scope, ref = said.ref, lane = said.lane,
    status = said.status, code = said.code, occurred_at = said.occurred_at,
    attributes = said.attributes, fate = said.fate, note = said.note, parcel = said.parcel,
    details = said.details
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
            $8::timestamptz[], $9::jsonb[], $10::text[], $11::text[], $12::text[], $13::jsonb[])
    AS said (id, lifecycle, scope, ref, lane, status, code, occurred_at, attributes, fate, note,
             parcel, details)
WHERE events.id = said.id

-- redigest --
-- The sender repeats what it said; only how it is read has changed.
UPDATE dedupe_keys SET digest = said.digest
FROM unnest($2::bytea[], $3::bytea[]) AS said (hash, digest)
WHERE dedupe_keys.source = $1 AND dedupe_keys.hash = said.hash

-- owe --
INSERT INTO outbox (event_id, due_at, priority, solo)
SELECT id, now(), $2, id = ANY($3::uuid[]) FROM unnest($1::uuid[]) AS id

-- accept --
WITH keys AS (
    INSERT INTO dedupe_keys (source, hash, event_id, digest)
    SELECT $1, hash, id, digest
    FROM unnest($2::bytea[], $3::uuid[], $20::bytea[]) AS said (hash, id, digest)
    ON CONFLICT DO NOTHING
    RETURNING event_id
),
fresh AS (
    INSERT INTO events (id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status,
                        code, occurred_at, received_at, attributes, fate, note, parcel, details)
    SELECT said.id, $4, $1, said.dedupe_key, said.lifecycle, said.scope, said.ref, said.lane,
           said.status, said.code, said.occurred_at, $5, said.attributes, said.fate, said.note,
           said.parcel, said.details
    FROM unnest($3::uuid[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[],
                $11::text[], $12::text[], $13::timestamptz[], $14::jsonb[], $15::text[],
                $16::text[], $17::text[], $18::jsonb[])
        AS said (id, dedupe_key, lifecycle, scope, ref, lane, status, code, occurred_at,
                 attributes, fate, note, parcel, details)
    JOIN keys ON keys.event_id = said.id
),
owed AS (
    INSERT INTO outbox (event_id, due_at, priority) SELECT event_id, now(), $19 FROM keys
)
SELECT event_id FROM keys

-- stale --
-- A state of an older law is never built upon: the next fold of the subject takes all its events.
UPDATE subjects SET law = 0 WHERE id = ANY($1::bigint[])
