-- load --
SELECT id, request_id, source, dedupe_key, lifecycle, scope, ref, lane, status, code, occurred_at,
       received_at, attributes, fate, note
FROM events
WHERE id = ANY($1::uuid[])

-- requests --
SELECT e.id, e.request_id
FROM unnest($1::uuid[]) AS said (id)
JOIN events e ON e.id = said.id

-- of_subjects --
SELECT e.id, e.source, e.dedupe_key, e.lifecycle, e.scope, e.ref, e.lane, e.status, e.code,
       e.occurred_at, e.received_at, e.attributes, e.fate, e.note
FROM unnest($1::text[], $2::text[], $3::text[]) AS s (lifecycle, scope, ref)
JOIN events e ON e.lifecycle = s.lifecycle AND e.scope = s.scope AND e.ref = s.ref
WHERE e.fate = 'fold'
  AND (e.id = ANY($4::uuid[]) OR NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.id))
  AND NOT EXISTS (SELECT FROM dead_letters d
                  WHERE d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL)
  AND NOT EXISTS (SELECT FROM event_outcomes o
                  WHERE o.event_id = e.id AND o.outcome = 'discarded')

-- decide --
INSERT INTO event_outcomes (event_id, outcome, reason)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (event_id) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, decided_at = now()
WHERE (event_outcomes.outcome, event_outcomes.reason) <> (excluded.outcome, excluded.reason)
