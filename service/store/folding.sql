-- take --
-- Here and below LATERAL with a LIMIT or OFFSET keeps each row to its own look into an index: a plan
-- made while a table is small would else read all of it when it has grown. The bounds of the ids let
-- PostgreSQL open the days they lie in, and no other.
WITH taken AS (
    SELECT event_id, crashes, solo FROM outbox
    WHERE event_id = ANY($1::uuid[])
    ORDER BY event_id FOR UPDATE SKIP LOCKED
),
loaded AS (
    SELECT t.event_id, t.crashes, t.solo, e.*
    FROM taken t
    LEFT JOIN LATERAL (
        SELECT * FROM events
        WHERE id = CASE WHEN $2::boolean OR NOT t.solo THEN t.event_id END
          AND id BETWEEN $6 AND $7 LIMIT 1
    ) AS e ON true
),
-- What names no subject follows the event that it takes back: see `follow`.
following AS (
    SELECT event_id, lifecycle, details -> 'revokes' ->> 'source' AS source,
           substring(sha256(
               int4send(octet_length(details -> 'revokes' ->> 'source'))
               || convert_to(details -> 'revokes' ->> 'source', 'UTF8')
               || convert_to(details -> 'revokes' ->> 'dedupe_key', 'UTF8')) FOR 16) AS hash
    FROM loaded
    WHERE fate = 'fold' AND ref IS NULL AND details ? 'revokes' AND NOT details ? 'aliases'
),
-- Whoever reads or changes claims on a name, or waits for it, holds this lock first, and reads them
-- in a later statement: else an event could begin to wait while the claim it needs is made.
locked AS (
    SELECT pg_advisory_xact_lock(hash)
    FROM (
        SELECT DISTINCT hashtextextended(lifecycle || '/' || type || '=' || value, 0) AS hash
        FROM (
            SELECT l.lifecycle, a.type, a.value
            FROM loaded l,
            LATERAL jsonb_to_recordset(l.details -> 'aliases') AS a (type text, value text)
            WHERE l.fate = 'fold'
            UNION ALL
            SELECT lifecycle, 'event:' || source, encode(hash, 'hex') FROM following
            UNION ALL
            SELECT * FROM unnest($3::text[], $4::text[], $5::text[])
        ) AS name (lifecycle, type, value)
        ORDER BY hash
    ) AS ordered
)
SELECT now() AS at, (SELECT count(*) FROM locked) AS names, loaded.*,
       f.source AS followed_source, f.hash AS followed_hash,
       (SELECT r.event_id FROM rollbacks r WHERE r.event_id = loaded.id) IS NOT NULL AS rolled_back
FROM loaded LEFT JOIN following f ON f.event_id = loaded.event_id

-- follow --
-- Once the event that is taken back is at a subject itself; it may be as old as events become.
WITH following AS (
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::bytea[]) AS f (event_id, source, hash)
)
SELECT f.event_id, n.lifecycle, n.scope, n.ref, NULL::uuid AS beside
FROM following f
CROSS JOIN LATERAL (
    SELECT event_id FROM dedupe_keys WHERE source = f.source AND hash = f.hash LIMIT 1
) AS d
CROSS JOIN LATERAL (SELECT * FROM events WHERE id = d.event_id LIMIT 1) AS n
WHERE n.fate = 'fold' AND n.ref IS NOT NULL
UNION ALL
SELECT f.event_id, s.lifecycle, s.scope, s.ref, d.event_id
FROM following f
CROSS JOIN LATERAL (
    SELECT event_id FROM dedupe_keys WHERE source = f.source AND hash = f.hash LIMIT 1
) AS d
CROSS JOIN LATERAL (
    SELECT subject_id FROM adoptions WHERE event_id = d.event_id LIMIT 1
) AS a
CROSS JOIN LATERAL (SELECT * FROM subjects WHERE id = a.subject_id LIMIT 1) AS s
-- As `history` counts it in.
WHERE (SELECT x.event_id FROM outbox x WHERE x.event_id = d.event_id) IS NULL
  AND (SELECT l.id FROM dead_letters l
       WHERE l.event_id = d.event_id AND l.kind = 'event' AND l.resolved_at IS NULL) IS NULL
  AND (SELECT o.event_id FROM event_outcomes o
       WHERE o.event_id = d.event_id AND o.outcome IN ('discarded', 'waiting')) IS NULL

-- stand --
WITH RECURSIVE named AS (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS n (lifecycle, scope, ref)
),
claimed AS (
    SELECT a.subject_id, a.lifecycle, a.type, a.value, a.kind, a.claimant
    FROM unnest($4::text[], $5::text[], $6::text[]) AS n (lifecycle, type, value)
    CROSS JOIN LATERAL (
        SELECT * FROM aliases
        WHERE lifecycle = n.lifecycle AND type = n.type AND value = n.value AND revoked_at IS NULL
        OFFSET 0
    ) AS a
),
entered AS (
    INSERT INTO subjects (lifecycle, scope, ref)
    SELECT n.lifecycle, n.scope, n.ref
    FROM named n
    WHERE (SELECT s.id FROM subjects s
           WHERE s.lifecycle = n.lifecycle AND s.scope = n.scope AND s.ref = n.ref) IS NULL
    ORDER BY n.lifecycle, n.scope, n.ref
    ON CONFLICT DO NOTHING
    RETURNING id, lifecycle, scope, ref, status, version, law, state, merged_into, lifecycle_hash
),
meant (id, merged_into) AS (
    (SELECT s.id, s.merged_into
     FROM named n
     CROSS JOIN LATERAL (
         SELECT id, merged_into FROM subjects
         WHERE lifecycle = n.lifecycle AND scope = n.scope AND ref = n.ref LIMIT 1
     ) AS s
     UNION
     SELECT s.id, s.merged_into
     FROM claimed c
     CROSS JOIN LATERAL (
         SELECT id, merged_into FROM subjects WHERE id = c.subject_id LIMIT 1
     ) AS s)
    UNION
    SELECT s.id, s.merged_into
    FROM meant m
    CROSS JOIN LATERAL (
        SELECT id, merged_into FROM subjects WHERE id = m.merged_into LIMIT 1
    ) AS s
),
locked AS (
    SELECT s.id, s.lifecycle, s.scope, s.ref, s.status, s.version, s.law, s.state, s.merged_into,
           s.lifecycle_hash
    FROM subjects s
    WHERE s.id = ANY(ARRAY(SELECT id FROM meant))
      AND (SELECT count(*) FROM entered) >= 0  -- not before all that is missing was entered
    ORDER BY s.lifecycle, s.scope, s.ref
    FOR UPDATE
),
said AS (
    SELECT subject_id,
           jsonb_agg(jsonb_build_array(lifecycle, type, value, kind, claimant)) AS claims
    FROM claimed GROUP BY subject_id
)
SELECT s.*, COALESCE(said.claims, '[]') AS claims
FROM (SELECT * FROM locked UNION ALL SELECT * FROM entered) AS s
LEFT JOIN said ON said.subject_id = s.id

-- history --
WITH RECURSIVE family AS (
    SELECT id AS root, id, lifecycle, scope, ref FROM subjects WHERE id = ANY($1::bigint[])
    UNION
    SELECT f.root, s.id, s.lifecycle, s.scope, s.ref
    FROM family f
    CROSS JOIN LATERAL (SELECT * FROM subjects WHERE merged_into = f.id OFFSET 0) AS s
),
own AS (
    SELECT f.root, false AS guest, e.id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref,
           e.parcel, e.lane, e.status, e.code, e.occurred_at, e.received_at, e.attributes,
           e.details, e.fate, e.note
    FROM family f
    CROSS JOIN LATERAL (
        SELECT * FROM events
        WHERE lifecycle = f.lifecycle AND scope = f.scope AND ref = f.ref OFFSET 0
    ) AS e
    UNION ALL
    SELECT f.root, true, e.id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref,
           e.parcel, e.lane, e.status, e.code, e.occurred_at, e.received_at, e.attributes,
           e.details, e.fate, e.note
    FROM family f
    CROSS JOIN LATERAL (SELECT event_id FROM adoptions WHERE subject_id = f.id OFFSET 0) AS a
    CROSS JOIN LATERAL (SELECT * FROM events WHERE id = a.event_id LIMIT 1) AS e
)
SELECT o.*, NULL::jsonb AS known,
       (SELECT r.event_id FROM rollbacks r WHERE r.event_id = o.id) IS NOT NULL AS rolled_back
FROM own o
WHERE o.fate = 'fold'
  AND (o.id = ANY($2::uuid[])
       OR (SELECT x.event_id FROM outbox x WHERE x.event_id = o.id) IS NULL)
  AND (SELECT d.id FROM dead_letters d
       WHERE d.event_id = o.id AND d.kind = 'event' AND d.resolved_at IS NULL) IS NULL
  AND (SELECT d.event_id FROM event_outcomes d
       WHERE d.event_id = o.id AND d.outcome IN ('discarded', 'waiting')) IS NULL
UNION ALL
SELECT f.root, false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
       NULL, NULL, NULL,
       jsonb_build_object(
           'pins', ARRAY(SELECT jsonb_build_array(c.id, c.lane, c.status) FROM corrections c
                         WHERE c.subject_id = ANY(f.ids) AND c.released_at IS NULL),
           'claims', ARRAY(SELECT jsonb_build_array(a.id, a.lifecycle, a.type, a.value, a.kind,
                                                    a.claimant)
                           FROM unnest(f.ids) AS i (id)
                           CROSS JOIN LATERAL (
                               SELECT * FROM aliases WHERE subject_id = i.id OFFSET 0
                           ) AS a
                           WHERE a.revoked_at IS NULL),
           'destinations', ARRAY(SELECT y.destination FROM syncs y
                                 WHERE y.subject_id = f.root ORDER BY y.destination),
           'bases', ARRAY(SELECT jsonb_build_object('state', b.state, 'untimed', b.untimed,
                                                    'claims', b.claims, 'events', b.events)
                          FROM bases b WHERE b.subject_id = ANY(f.ids) ORDER BY b.subject_id)),
       false
FROM (SELECT root, array_agg(id) AS ids FROM family GROUP BY root) AS f
