-- bound --
SELECT set_config('statement_timeout', $1, true)

-- at --
SELECT extract(epoch FROM now())::float8

-- read --
-- Each is the end of an index, or a walk along one that stops soon. An order by the bare name would
-- be one by the text that is put out, which no index has.
SELECT (SELECT e.id::text FROM events e WHERE e.id >= $1 ORDER BY e.id DESC LIMIT 1) AS events,
       (SELECT a.id::text FROM attempts a WHERE a.id >= $1 ORDER BY a.id DESC LIMIT 1) AS attempts,
       (SELECT t.id::text FROM transitions t WHERE t.id >= $1 ORDER BY t.id DESC LIMIT 1)
           AS transitions,
       (SELECT d.id::text FROM dead_letters d ORDER BY d.id DESC LIMIT 1) AS letters,
       (SELECT count(*)::text FROM (SELECT FROM dead_letters WHERE resolved_at IS NULL LIMIT $2) AS d)
           AS open_letters,
       (SELECT o.id::text FROM operator_actions o ORDER BY o.id DESC LIMIT 1) AS actions,
       (SELECT r.id::text FROM refusals r ORDER BY r.id DESC LIMIT 1) AS refusals,
       (SELECT concat_ws(' ', updated_at, id) FROM subjects ORDER BY updated_at DESC, id DESC LIMIT 1)
           AS subjects,
       (SELECT concat_ws(' ', max(updated_at), count(*)) FROM destinations) AS destinations,
       (SELECT concat_ws(' ', sum(entries), count(*)) FROM spools) AS spools,
       (SELECT string_agg(concat_ws(' ', id, state, done, skipped), ',')
        FROM (SELECT id, state, done, skipped FROM jobs WHERE due_at IS NOT NULL
              ORDER BY due_at LIMIT 50) AS j) AS running,
       (SELECT concat_ws(' ', id, state) FROM jobs ORDER BY id DESC LIMIT 1) AS job
