-- keep --
INSERT INTO bases (subject_id, state, untimed, claims, events) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (subject_id) DO UPDATE SET
    state = excluded.state, untimed = excluded.untimed, claims = excluded.claims,
    events = excluded.events, purged_at = now()

-- absorb --
-- Of subjects that were merged into it: their part is in its own base now.
WITH RECURSIVE merged AS (
    SELECT id FROM subjects WHERE merged_into = $1
    UNION
    SELECT s.id FROM merged m JOIN subjects s ON s.merged_into = m.id
)
DELETE FROM bases WHERE subject_id IN (SELECT id FROM merged)
