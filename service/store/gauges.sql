-- outbox --
SELECT class.priority, count(seen.event_id) AS entries, min(seen.event_id::text)::uuid AS oldest,
       extract(epoch FROM now())::float8 AS at
FROM unnest($1::smallint[]) AS class (priority)
LEFT JOIN LATERAL (
    SELECT event_id FROM outbox
    WHERE priority = class.priority
    ORDER BY due_at LIMIT $2
) AS seen ON true
GROUP BY class.priority

-- syncs --
SELECT said.destination, seen.state, count(*) AS owed
FROM unnest($1::text[]) AS said (destination),
LATERAL (
    SELECT state FROM syncs
    WHERE destination = said.destination AND due_at IS NOT NULL AND state <> 'synced'
    LIMIT $2
) AS seen
GROUP BY said.destination, seen.state

-- anomalies --
SELECT named.kind, said.source, count(*) AS open
FROM unnest($1::text[]) AS named (kind),
unnest($2::text[]) AS said (source),
LATERAL (
    SELECT FROM anomalies
    WHERE kind = named.kind AND source = said.source AND ended_at IS NULL
    ORDER BY id DESC LIMIT $3
) AS seen
GROUP BY named.kind, said.source

-- flagged --
SELECT flag, count(*) AS subjects
FROM (SELECT flags FROM subjects WHERE flags <> '{}' AND merged_into IS NULL
      ORDER BY updated_at DESC, id DESC LIMIT $2) AS seen,
unnest(seen.flags) AS flag
WHERE flag = ANY($1::text[])
GROUP BY flag

-- unmapped --
SELECT e.source, count(*) AS events
FROM (SELECT event_id FROM dead_letters
      WHERE kind = 'event' AND destination IS NULL AND reason = 'unmapped'
        AND resolved_at IS NULL
      ORDER BY id LIMIT $2) AS seen,
LATERAL (SELECT source FROM events WHERE id = seen.event_id OFFSET 0) AS e
WHERE e.source = ANY($1::text[])
GROUP BY e.source

-- lookups --
SELECT source, count(*) AS owed,
       extract(epoch FROM now() - min(owed_since))::float8 AS oldest
FROM (SELECT source, owed_since FROM owed_lookups ORDER BY due_at LIMIT $2) AS seen
WHERE source = ANY($1::text[])
GROUP BY source

-- dead_events --
SELECT said.reason, count(*) AS letters
FROM unnest($1::text[]) AS said (reason),
LATERAL (
    SELECT FROM dead_letters
    WHERE kind = 'event' AND destination IS NULL AND reason = said.reason
      AND resolved_at IS NULL
    LIMIT $2
) AS seen
GROUP BY said.reason

-- dead_syncs --
SELECT named.destination, said.reason, count(*) AS letters
FROM unnest($1::text[]) AS named (destination),
unnest($2::text[]) AS said (reason),
LATERAL (
    SELECT FROM dead_letters
    WHERE kind = 'sync' AND destination = named.destination AND reason = said.reason
      AND resolved_at IS NULL
    LIMIT $3
) AS seen
GROUP BY named.destination, said.reason
