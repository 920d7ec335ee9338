-- one_writer --
-- Two that note the same at once would note it twice.
SELECT pg_advisory_xact_lock(7301944031)

-- key_conflicts --
INSERT INTO anomalies (id, kind, source, event_id, detail)
SELECT said.id, 'key_conflict', said.source, said.event_id, $4
FROM unnest($1::uuid[], $2::text[], $3::uuid[]) AS said (id, source, event_id)
CROSS JOIN LATERAL (
    SELECT count(*) AS open, bool_or(event_id = said.event_id) AS noted
    FROM (SELECT event_id FROM anomalies
          WHERE kind = 'key_conflict' AND source = said.source AND ended_at IS NULL
          ORDER BY id DESC LIMIT $5) AS a
) AS already
WHERE already.open < $5 AND already.noted IS NOT TRUE

-- end_alias_conflicts --
UPDATE anomalies a SET ended_at = now()
FROM subjects s
WHERE a.kind = 'alias_conflict' AND a.ended_at IS NULL AND s.id = a.subject_id
  AND s.lifecycle = $1 AND starts_with(a.detail, $2 || ' ')
