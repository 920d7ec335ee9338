-- bury_events --
INSERT INTO dead_letters (id, kind, event_id, reason, summary)
SELECT id, 'event', event_id, reason, summary
FROM unnest($1::uuid[], $2::uuid[], $3::text[], $4::text[]) AS said (id, event_id, reason, summary)
ON CONFLICT (event_id) WHERE kind = 'event' AND resolved_at IS NULL
    DO UPDATE SET last_at = now(), reason = excluded.reason, summary = excluded.summary

-- bury_syncs --
INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary)
SELECT id, 'sync', subject_id, $2, reason, summary
FROM unnest($1::uuid[], $3::bigint[], $4::text[], $5::text[]) AS said (id, subject_id, reason, summary)
ON CONFLICT (subject_id, destination) WHERE kind = 'sync' AND resolved_at IS NULL
    DO UPDATE SET last_at = now(), reason = excluded.reason, summary = excluded.summary

-- supersede_syncs --
UPDATE dead_letters SET resolved_at = now(), resolution = 'superseded'
FROM unnest($1::bigint[], $2::text[]) AS said (subject_id, destination)
WHERE dead_letters.subject_id = said.subject_id AND dead_letters.destination = said.destination
  AND dead_letters.kind = 'sync' AND dead_letters.resolved_at IS NULL
