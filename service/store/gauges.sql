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
    WHERE destination = said.destination AND due_at IS NOT NULL
    LIMIT $2
) AS seen
GROUP BY said.destination, seen.state

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
