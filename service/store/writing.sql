-- write --
WITH saved AS (
    UPDATE subjects
    SET status = said.status, version = said.version, law = said.law, state = said.state,
        flags = said.flags::text[], lifecycle_hash = said.lifecycle_hash, updated_at = now()
    FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::smallint[], $5::jsonb[], $6::text[],
                $60::text[])
        AS said (id, status, version, law, state, flags, lifecycle_hash)
    WHERE subjects.id = said.id AND subjects.id = ANY($1::bigint[])
),
stepped AS (
    INSERT INTO transitions
        (id, subject_id, version, previous, status, lanes, occurred_at, event_ids, cause)
    SELECT said.id, said.subject_id, said.version, said.previous, said.status, said.lanes,
           said.occurred_at, said.event_ids::uuid[], said.cause
    FROM unnest($7::uuid[], $8::bigint[], $9::bigint[], $10::text[], $11::text[], $12::jsonb[],
                $13::timestamptz[], $14::text[], $15::text[])
        AS said (id, subject_id, version, previous, status, lanes, occurred_at, event_ids, cause)
),
decided AS (
    INSERT INTO event_outcomes (event_id, outcome, reason)
    SELECT * FROM unnest($16::uuid[], $17::text[], $18::text[])
    ON CONFLICT (event_id) DO UPDATE SET
        outcome = excluded.outcome, reason = excluded.reason, decided_at = now()
    WHERE (event_outcomes.outcome, event_outcomes.reason) <> (excluded.outcome, excluded.reason)
),
adopted AS (
    INSERT INTO adoptions (event_id, subject_id)
    SELECT * FROM unnest($19::uuid[], $20::bigint[])
    ON CONFLICT (event_id) DO UPDATE SET subject_id = excluded.subject_id
),
left_alone AS (
    DELETE FROM adoptions WHERE event_id = ANY($21::uuid[])
),
claimed AS (
    INSERT INTO aliases (lifecycle, type, value, subject_id, kind, claimant)
    SELECT * FROM unnest($22::text[], $23::text[], $24::text[], $25::bigint[], $26::text[],
                         $27::text[])
    ON CONFLICT (lifecycle, type, value, subject_id, kind, claimant) WHERE revoked_at IS NULL
        DO NOTHING
),
unclaimed AS (
    UPDATE aliases SET revoked_at = COALESCE(revoked_at, now()) WHERE id = ANY($28::bigint[])
),
-- Who waits for a name that leads somewhere now, whatever other names it waits for besides. Two
-- who release by different names of one event take its rows in one order.
called AS (
    SELECT w.event_id, w.type, w.value
    FROM waiting w
    WHERE w.event_id = ANY(ARRAY(
            SELECT v.event_id
            FROM unnest($29::text[], $30::text[], $31::text[]) AS n (lifecycle, type, value)
            CROSS JOIN LATERAL (
                SELECT event_id FROM waiting
                WHERE lifecycle = n.lifecycle AND type = n.type AND value = n.value OFFSET 0
            ) AS v))
      AND w.event_id <> ALL($32::uuid[])
    ORDER BY w.event_id, w.type, w.value
    FOR UPDATE
),
released AS (
    SELECT DISTINCT event_id FROM called
),
unlisted AS (
    DELETE FROM waiting
    WHERE event_id = ANY(ARRAY(SELECT event_id FROM released UNION ALL SELECT unnest($33::uuid[])))
),
-- Each between its first and its last id, or PostgreSQL would open every day that is kept.
undecided AS (
    DELETE FROM event_outcomes
    WHERE event_id = ANY($21::uuid[]) AND event_id BETWEEN $62 AND $63
    RETURNING event_id
),
called_for AS (
    DELETE FROM event_outcomes
    WHERE event_id = ANY(ARRAY(SELECT event_id FROM released)) AND outcome = 'waiting'
      AND event_id BETWEEN (SELECT event_id FROM released ORDER BY event_id LIMIT 1)
                       AND (SELECT event_id FROM released ORDER BY event_id DESC LIMIT 1)
    RETURNING event_id
),
late AS (
    SELECT d.id
    FROM (SELECT event_id FROM released ORDER BY event_id) AS r
    CROSS JOIN LATERAL (
        SELECT id, reason FROM dead_letters
        WHERE event_id = r.event_id AND kind = 'event' AND resolved_at IS NULL
        LIMIT 1 FOR UPDATE
    ) AS d
    WHERE d.reason = 'unresolved_subject'
),
revived AS (
    UPDATE dead_letters SET resolved_at = now(), resolution = 'revived'
    WHERE id = ANY(ARRAY(SELECT id FROM late))
    RETURNING event_id
),
due AS (
    INSERT INTO outbox (event_id, due_at)
    SELECT event_id, now()
    FROM (SELECT event_id FROM undecided UNION SELECT event_id FROM called_for
          UNION SELECT event_id FROM revived) AS free
    ORDER BY event_id
    ON CONFLICT DO NOTHING
),
listed AS (
    INSERT INTO waiting (event_id, lifecycle, type, value, deadline_at)
    SELECT * FROM unnest($34::uuid[], $35::text[], $36::text[], $37::text[], $38::timestamptz[])
    ON CONFLICT (event_id, type, value) DO UPDATE SET deadline_at = excluded.deadline_at
),
buried AS (
    INSERT INTO dead_letters (id, kind, event_id, reason, summary)
    SELECT id, 'event', event_id, reason, summary
    FROM unnest($39::uuid[], $40::uuid[], $41::text[], $42::text[])
        AS said (id, event_id, reason, summary)
    ON CONFLICT (event_id) WHERE kind = 'event' AND resolved_at IS NULL
        DO UPDATE SET last_at = now(), reason = excluded.reason, summary = excluded.summary
),
-- Raises what is desired; leases what nobody holds and what does not back off. What is synced and
-- due is only to be read once more: a newer version does not wait for that.
owed AS (
    INSERT INTO syncs
        (subject_id, destination, desired_version, due_at, lease_owner, fence, priority)
    SELECT subject_id, destination, version, now() + COALESCE(lease, interval '0'),
           CASE WHEN lease IS NOT NULL THEN $48::uuid END, 1, priority
    FROM unnest($43::bigint[], $44::text[], $45::bigint[], $46::interval[], $47::smallint[])
        AS said (subject_id, destination, version, lease, priority)
    ON CONFLICT (subject_id, destination) DO UPDATE SET
        desired_version = GREATEST(syncs.desired_version, excluded.desired_version),
        -- What an operator held back was the version before: this one is owed anew.
        state = CASE WHEN syncs.state IN ('synced', 'dead', 'held') THEN 'pending'
                     ELSE syncs.state END,
        attempts = CASE WHEN syncs.due_at IS NULL OR syncs.state = 'synced' THEN 0
                        ELSE syncs.attempts END,
        failing_since = CASE WHEN syncs.due_at IS NULL OR syncs.state = 'synced' THEN NULL
                             ELSE syncs.failing_since END,
        priority = CASE WHEN syncs.due_at IS NULL OR syncs.state = 'synced' THEN excluded.priority
                        ELSE LEAST(syncs.priority, excluded.priority) END,
        lease_owner = CASE
            WHEN syncs.due_at IS NULL OR (syncs.lease_owner IS NULL
                                          AND (syncs.due_at <= now() OR syncs.state = 'synced'))
            THEN excluded.lease_owner ELSE syncs.lease_owner END,
        due_at = CASE
            WHEN syncs.due_at IS NULL OR (syncs.lease_owner IS NULL
                                          AND (syncs.due_at <= now() OR syncs.state = 'synced'))
            THEN excluded.due_at ELSE syncs.due_at END,
        fence = CASE
            WHEN syncs.due_at IS NULL OR (syncs.lease_owner IS NULL
                                          AND (syncs.due_at <= now() OR syncs.state = 'synced'))
            THEN syncs.fence + 1 ELSE syncs.fence END,
        updated_at = now()
    RETURNING subject_id, destination, fence, priority, lease_owner = $48::uuid AS leased,
              error IS NOT NULL AND attempts = 0 AS given_up
),
contradicted AS (
    INSERT INTO anomalies (id, kind, source, event_id, subject_id, detail)
    SELECT id, 'alias_conflict', source, event_id, subject_id, detail
    FROM unnest($49::uuid[], $50::text[], $51::uuid[], $52::bigint[], $53::text[])
        AS said (id, source, event_id, subject_id, detail)
),
finished AS (
    DELETE FROM outbox WHERE event_id = ANY($54::uuid[])
),
put_off AS (
    UPDATE outbox SET published_at = NULL,
                      due_at = now() + CASE WHEN event_id = ANY($61::uuid[]) THEN interval '0'
                                            ELSE $56::interval END,
                      crashes = GREATEST(crashes - $57::boolean::int, 0)
    WHERE event_id = ANY($55::uuid[])
),
looked_up AS (
    INSERT INTO owed_lookups (event_id, source)
    SELECT * FROM unnest($58::uuid[], $59::text[])
    ON CONFLICT (event_id) DO UPDATE SET due_at = now(), attempts = 0, owed_since = now()
)
SELECT subject_id, destination, fence, priority, leased, given_up
FROM owed
WHERE leased OR given_up
