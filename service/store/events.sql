-- requests --
SELECT e.id, e.request_id
FROM unnest($1::uuid[]) AS said (id)
CROSS JOIN LATERAL (
    SELECT id, request_id FROM events WHERE id = said.id AND id BETWEEN $2 AND $3 LIMIT 1
) AS e

-- decide --
INSERT INTO event_outcomes (event_id, outcome, reason)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (event_id) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, decided_at = now()
WHERE (event_outcomes.outcome, event_outcomes.reason) <> (excluded.outcome, excluded.reason)
