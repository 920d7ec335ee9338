-- claim --
-- The classes one by one: the index is in the order (priority, due_at) within a destination, and a
-- scan over all of it would read every row of a class that is not due yet.
WITH due AS (
    SELECT y.subject_id
    FROM unnest($5::smallint[]) AS class (priority),
    LATERAL (
        SELECT subject_id, priority, due_at FROM syncs
        WHERE destination = $1 AND priority = class.priority AND due_at <= now()
        ORDER BY due_at LIMIT $2
        FOR UPDATE SKIP LOCKED
    ) AS y
    ORDER BY y.priority, y.due_at LIMIT $2
)
UPDATE syncs SET
    -- Whoever held it was about to write and never told what came of it: read before writing.
    verify = CASE WHEN lease_owner IS NOT NULL AND intent_version IS NOT NULL THEN 1
                  ELSE verify END,
    lease_owner = $3::uuid, due_at = now() + $4::interval, fence = fence + 1
WHERE destination = $1 AND subject_id = ANY(ARRAY(SELECT subject_id FROM due))
RETURNING subject_id, destination, fence, priority, true AS leased

-- urgent --
SELECT subject_id, priority FROM syncs
WHERE destination = $1 AND priority = ANY($2::smallint[]) AND due_at IS NOT NULL
  AND subject_id = ANY($3::bigint[])

-- hold --
SELECT FROM syncs WHERE destination = $2 AND subject_id = ANY($1::bigint[])
ORDER BY subject_id FOR UPDATE

-- load --
-- The bounds of the ids let PostgreSQL open the days they lie in, and no other. What changed before
-- them is missing then: `whole` tells. Each row looks for itself, as in `folding`, and where rows are
-- changed below their ids are said once more: a plan made while the table is small would else read
-- all of it when it has grown.
SELECT y.subject_id, y.fence, y.synced_status, y.synced_version, y.attempts, y.verify,
       y.remote_id, y.remote_token, y.written, y.written_hash, y.intent, y.held_for, y.overrule,
       COALESCE(now() - y.failing_since, interval '0') AS failing_for,
       s.lifecycle, s.scope, s.ref, s.status, s.version, s.state,
       COALESCE(news.at, s.updated_at) AS at, news.occurred_at, news.event_ids,
       told.previous AS told_previous,
       CASE WHEN told.after <> y.synced_version THEN news.told_event_ids END AS told_event_ids,
       news.versions >= s.version - GREATEST(told.known, born.version) AS whole
FROM unnest($1::bigint[], $2::bigint[]) AS held (subject_id, fence)
CROSS JOIN LATERAL (
    SELECT * FROM syncs
    WHERE subject_id = held.subject_id AND destination = $3 AND fence = held.fence LIMIT 1
) AS y
CROSS JOIN LATERAL (SELECT * FROM subjects WHERE id = y.subject_id LIMIT 1) AS s
CROSS JOIN LATERAL (
    -- A version that was told before is told again in the same words, whatever was settled since.
    SELECT after, previous, LEAST(after, y.synced_version, s.version - 1) AS known
    FROM (SELECT CASE WHEN y.told_version = s.version THEN y.told_after
                      ELSE y.synced_version END AS after,
                 CASE WHEN y.told_version = s.version THEN y.told_previous
                      ELSE y.synced_status END AS previous) AS said
) AS told
CROSS JOIN LATERAL (
    -- What came into being after a restore begins with the versions of its epoch.
    SELECT CASE WHEN s.created_at > to_timestamp(s.version / $6::bigint + 1)
                THEN s.version / $6 * $6 ELSE 0 END AS version
) AS born
CROSS JOIN LATERAL (
    SELECT max(t.at) FILTER (WHERE t.version = s.version) AS at,
           max(t.occurred_at) FILTER (WHERE t.version = s.version) AS occurred_at,
           COALESCE((array_agg(DISTINCT e.id ORDER BY e.id DESC)
                     FILTER (WHERE t.version > y.synced_version AND e.id IS NOT NULL)
                    )[:100], '{}') AS event_ids,
           COALESCE((array_agg(DISTINCT e.id ORDER BY e.id DESC)
                     FILTER (WHERE t.version > told.after AND e.id IS NOT NULL)
                    )[:100], '{}') AS told_event_ids,
           count(DISTINCT t.version) AS versions
    FROM transitions t
    LEFT JOIN LATERAL unnest(t.event_ids) AS e (id) ON true
    WHERE t.subject_id = s.id AND t.version > told.known AND t.version <= s.version
      AND t.id BETWEEN $4 AND $5
) AS news

-- intend --
-- Here, in `renew` and in `settle` the rows are locked in one order before they are written: another worker may
-- be at the same ones.
WITH said AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::text[],
                         $6::jsonb[], $7::jsonb[], $8::text[])
        AS said (subject_id, fence, version, hash, key, shown, found, remote_id)
),
locked AS (
    SELECT subject_id FROM syncs
    WHERE destination = $10 AND subject_id = ANY($1::bigint[])
    ORDER BY subject_id FOR UPDATE
)
UPDATE syncs SET
    intent_version = said.version, intent_hash = said.hash, intent_key = said.key,
    intent_at = now(), intent = said.shown,
    written = COALESCE(said.found, syncs.written),
    remote_id = COALESCE(said.remote_id, syncs.remote_id), due_at = now() + $9::interval,
    told_version = said.version,
    told_after = CASE WHEN syncs.told_version = said.version THEN syncs.told_after
                      ELSE syncs.synced_version END,
    told_previous = CASE WHEN syncs.told_version = said.version THEN syncs.told_previous
                         ELSE syncs.synced_status END
FROM said
JOIN locked USING (subject_id)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $10
  AND syncs.fence = said.fence AND syncs.due_at > now()
RETURNING syncs.subject_id

-- renew --
WITH locked AS (
    SELECT subject_id FROM syncs
    WHERE destination = $4 AND subject_id = ANY($1::bigint[])
    ORDER BY subject_id FOR UPDATE
)
UPDATE syncs SET due_at = now() + $3::interval
FROM unnest($1::bigint[], $2::bigint[]) AS held (subject_id, fence)
JOIN locked USING (subject_id)
WHERE syncs.subject_id = held.subject_id AND syncs.destination = $4
  AND syncs.fence = held.fence AND syncs.due_at > now()
RETURNING syncs.subject_id

-- release --
UPDATE syncs SET lease_owner = NULL, due_at = now()
FROM unnest($1::bigint[], $2::bigint[]) AS held (subject_id, fence)
WHERE syncs.subject_id = held.subject_id AND syncs.destination = $3
  AND syncs.subject_id = ANY($1::bigint[]) AND syncs.fence = held.fence

-- settle --
-- Once more when `again`, or when a worker that had lost its lease told meanwhile that it wrote. Every
-- exchange is kept, whoever won the lease.
WITH said AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::text[],
                         $6::text[], $7::jsonb[], $8::bytea[], $9::boolean[])
        AS said (subject_id, fence, version, status, remote_id, token, written, hash, again)
),
exchanged AS (
    INSERT INTO attempts
        (id, operation, subject_id, destination, version, class, http_status, ms, detail)
    SELECT id, operation, subject_id, $11, version, class, http_status, ms, detail
    FROM unnest($12::uuid[], $13::text[], $14::bigint[], $15::bigint[], $16::text[],
                $17::smallint[], $18::integer[], $19::text[])
        AS said (id, operation, subject_id, version, class, http_status, ms, detail)
),
locked AS (
    SELECT subject_id FROM syncs
    WHERE destination = $11 AND subject_id = ANY($1::bigint[])
    ORDER BY subject_id FOR UPDATE  -- a fold that is raising what is desired is waited for, and seen
)
UPDATE syncs SET
    synced_version = said.version, synced_status = said.status,
    state = CASE WHEN syncs.desired_version > said.version THEN 'pending' ELSE 'synced' END,
    due_at = CASE WHEN syncs.desired_version > said.version THEN now()
                  WHEN said.again OR syncs.verify = 3 THEN now() + $10::interval END,
    verify = CASE WHEN said.again OR syncs.verify = 3 THEN 2 ELSE 0 END,
    lease_owner = NULL, attempts = 0, failing_since = NULL, error = NULL,
    intent_version = NULL, intent_hash = NULL, intent_key = NULL, intent_at = NULL,
    intent = CASE WHEN said.again OR syncs.verify = 3 THEN syncs.intent END,
    held_for = NULL, difference = NULL, overrule = false,
    remote_id = COALESCE(said.remote_id, syncs.remote_id), remote_token = said.token,
    written = said.written, written_hash = said.hash, updated_at = now()
FROM said
JOIN locked USING (subject_id)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $11 AND syncs.fence = said.fence
RETURNING syncs.subject_id, syncs.due_at IS NOT NULL AS more

-- leave --
-- Not done: later (`delay`), or dead or held, unless a newer version is desired, which is tried at
-- once instead. Only what was seen to differ is no longer called synced.
WITH said AS (
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[], $5::interval[],
                         $6::boolean[], $7::boolean[], $8::boolean[], $9::text[], $10::boolean[],
                         $11::boolean[], $12::jsonb[], $13::jsonb[], $14::text[], $15::text[],
                         $16::boolean[], $17::text[], $18::jsonb[])
        AS said (subject_id, fence, version, state, delay, counted, failing, differs, error, unsure,
                 sent, shown, found, remote_id, token, forget, held_for, difference)
),
judged AS (
    SELECT y.subject_id AS id, said.*,
           said.delay IS NULL AND y.desired_version > said.version AS newer,
           NOT said.differs AND y.synced_version >= y.desired_version AS shown_already
    FROM said
    JOIN syncs y ON y.subject_id = said.subject_id AND y.destination = $19 AND y.fence = said.fence
    WHERE y.subject_id = ANY($1::bigint[])
    ORDER BY y.subject_id
    FOR UPDATE OF y  -- a fold that is raising what is desired is waited for, and seen
)
UPDATE syncs SET
    state = CASE WHEN said.shown_already THEN 'synced' WHEN said.newer THEN 'pending'
                 ELSE said.state END,
    synced_version = CASE WHEN said.differs THEN LEAST(syncs.synced_version, said.version - 1)
                          ELSE syncs.synced_version END,
    due_at = CASE WHEN said.newer THEN now() ELSE now() + said.delay END,
    lease_owner = NULL, attempts = syncs.attempts + said.counted::int,
    failing_since = CASE WHEN said.failing THEN COALESCE(syncs.failing_since, now())
                         ELSE syncs.failing_since END,
    error = COALESCE(said.error, syncs.error),
    verify = CASE WHEN said.unsure THEN 1 ELSE syncs.verify END,
    intent_version = NULL, intent_hash = NULL, intent_key = NULL, intent_at = NULL,
    intent = said.shown,
    written = CASE WHEN NOT said.forget THEN COALESCE(said.found, syncs.written) END,
    written_hash = CASE WHEN NOT (said.forget OR said.sent) THEN syncs.written_hash END,
    remote_id = CASE WHEN NOT said.forget THEN COALESCE(said.remote_id, syncs.remote_id) END,
    remote_token = CASE WHEN NOT said.forget THEN said.token END,
    held_for = CASE WHEN NOT said.newer THEN said.held_for END,
    difference = CASE WHEN NOT said.newer THEN said.difference END,
    updated_at = now()
FROM judged AS said
WHERE syncs.subject_id = said.id AND syncs.destination = $19
  AND syncs.subject_id = ANY($1::bigint[]) AND syncs.fence = said.fence
RETURNING syncs.subject_id, syncs.state

-- doubt --
-- A worker wrote, or may have, after it had lost its lease: whatever is done now, read once more.
UPDATE syncs SET
    verify = CASE WHEN lease_owner IS NOT NULL THEN 3 WHEN verify = 1 THEN 1 ELSE 2 END,
    due_at = CASE WHEN due_at IS NULL AND state = 'synced' THEN now() ELSE due_at END,
    intent = jsonb_build_object('shown', jsonb_path_query_array(
        jsonb_build_array(said.shown) || COALESCE(intent -> 'shown', '[]'), '$[0 to 3]'))
FROM unnest($1::bigint[], $2::jsonb[]) AS said (subject_id, shown)
WHERE syncs.subject_id = said.subject_id AND syncs.destination = $3
  AND syncs.subject_id = ANY($1::bigint[])

-- revive --
-- What was held in shadow is owed once there is no shadow any more.
UPDATE syncs SET state = 'pending', due_at = now(), held_for = NULL, difference = NULL
WHERE destination = $1 AND subject_id = ANY(ARRAY(
    SELECT subject_id FROM syncs WHERE destination = $1 AND held_for = 'shadow' AND state = 'held'
    LIMIT $2 FOR UPDATE SKIP LOCKED))
RETURNING subject_id

-- attempt --
INSERT INTO attempts
    (id, operation, subject_id, destination, version, class, http_status, ms, detail)
SELECT id, operation, subject_id, $1, version, class, http_status, ms, detail
FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::bigint[], $6::text[], $7::smallint[],
            $8::integer[], $9::text[])
    AS said (id, operation, subject_id, version, class, http_status, ms, detail)
