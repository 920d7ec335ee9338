-- requests --
SELECT e.id, e.request_id
FROM unnest($1::uuid[]) AS said (id)
JOIN events e ON e.id = said.id

-- decide --
INSERT INTO event_outcomes (event_id, outcome, reason)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[])
ON CONFLICT (event_id) DO UPDATE SET
    outcome = excluded.outcome, reason = excluded.reason, decided_at = now()
WHERE (event_outcomes.outcome, event_outcomes.reason) <> (excluded.outcome, excluded.reason)
