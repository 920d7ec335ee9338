-- bound --
SELECT set_config('statement_timeout', $1, true)

-- at --
SELECT extract(epoch FROM now())::float8

-- came --
-- By source, in strides of so many seconds: the partitions are cut by id.
SELECT source, floor(extract(epoch FROM received_at) / $3)::bigint AS stride, count(*) AS events,
       extract(epoch FROM max(received_at))::float8 AS last
FROM events
WHERE id >= $1 AND received_at >= to_timestamp($2::float8)
GROUP BY source, stride

-- went --
SELECT destination, floor(extract(epoch FROM at) / $3)::bigint AS stride,
       count(*) FILTER (WHERE class = 'ok' AND operation <> ALL($4::text[])) AS writes,
       count(*) FILTER (WHERE class NOT IN ('ok', 'conflict')) AS failures,
       (extract(epoch FROM max(at) FILTER (WHERE class = 'ok')))::float8 AS last
FROM attempts
WHERE id >= $1 AND at >= to_timestamp($2::float8)
GROUP BY destination, stride

-- waits --
-- From the acceptance of the first event behind a version to the end of the call that carried it.
SELECT a.at, said.id
FROM (SELECT subject_id, version, extract(epoch FROM at)::float8 AS at FROM attempts
      WHERE id >= $1 AND class = 'ok' AND operation <> ALL($3::text[])
      ORDER BY id DESC LIMIT $2) AS a
JOIN transitions t ON t.subject_id = a.subject_id AND t.version = a.version AND t.id >= $1,
LATERAL (SELECT min(each::text)::uuid AS id FROM unnest(t.event_ids) AS each) AS said
WHERE said.id IS NOT NULL

-- owed --
-- What has no record there is looked for now and then, and does not count as late.
SELECT said.destination, count(*) AS owed,
       count(*) FILTER (WHERE seen.state = 'no_record') AS no_record,
       min(seen.since) FILTER (WHERE seen.state <> 'no_record') AS oldest_at
FROM unnest($1::text[]) AS said (destination),
LATERAL (
    SELECT state, COALESCE(failing_since, updated_at) AS since FROM syncs
    WHERE destination = said.destination AND due_at IS NOT NULL AND state <> 'synced'
    LIMIT $2
) AS seen
GROUP BY said.destination

-- held --
SELECT said.destination, count(*) AS held
FROM unnest($1::text[]) AS said (destination),
LATERAL (
    SELECT FROM syncs
    WHERE destination = said.destination AND held_for = 'person'
    LIMIT $2
) AS seen
GROUP BY said.destination

-- refused --
SELECT said.source, seen.cause, count(*) AS refused, max(seen.at) AS last_at
FROM unnest($1::text[]) AS said (source),
LATERAL (
    SELECT cause, at FROM refusals WHERE source = said.source ORDER BY id DESC LIMIT $3
) AS seen
WHERE seen.at > now() - $2::interval
GROUP BY said.source, seen.cause
ORDER BY said.source, refused DESC, seen.cause
