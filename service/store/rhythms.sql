-- try --
SELECT pg_try_advisory_xact_lock(7301944029) AS mine, extract(epoch FROM now())::float8 AS at,
       (SELECT extract(epoch FROM max(updated_at))::float8 FROM rhythms) AS read_to

-- all --
SELECT h.source, h.learned, a.at IS NOT NULL AS silent
FROM rhythms h
LEFT JOIN LATERAL (
    SELECT at FROM anomalies
    WHERE kind = 'silence' AND source = h.source AND ended_at IS NULL
    ORDER BY id DESC LIMIT 1
) a ON true
WHERE h.source = ANY($1::text[])

-- bound --
SELECT id FROM requests WHERE id > $1::uuid ORDER BY id OFFSET $2 - 1 LIMIT 1

-- news --
SELECT r.source,
       extract(epoch FROM min(r.received_at))::float8 AS first,
       extract(epoch FROM max(r.received_at))::float8 AS last,
       count(*) AS requests
FROM requests r
LEFT JOIN rhythms h ON h.source = r.source
WHERE r.id > $1::uuid AND ($2::uuid IS NULL OR r.id <= $2)
  AND r.received_at > COALESCE(h.heard_at, to_timestamp($3::float8))
GROUP BY r.source, date_trunc('minute', r.received_at)
ORDER BY first

-- save --
INSERT INTO rhythms (source, learned, heard_at, updated_at)
SELECT source, learned, to_timestamp(heard_at), now()
FROM unnest($1::text[], $2::jsonb[], $3::float8[]) AS said (source, learned, heard_at)
ORDER BY source
ON CONFLICT (source) DO UPDATE SET
    learned = excluded.learned, heard_at = excluded.heard_at, updated_at = excluded.updated_at

-- begin --
INSERT INTO anomalies (id, kind, source, detail)
SELECT id, 'silence', source, detail
FROM unnest($1::uuid[], $2::text[], $3::text[]) AS said (id, source, detail)
WHERE NOT EXISTS (
    SELECT FROM anomalies a
    WHERE a.kind = 'silence' AND a.source = said.source AND a.ended_at IS NULL
)
RETURNING source

-- end --
UPDATE anomalies SET ended_at = now()
WHERE kind = 'silence' AND ended_at IS NULL AND NOT (source = ANY($1::text[]))
RETURNING source
