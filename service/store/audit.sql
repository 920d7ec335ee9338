-- bound --
SELECT set_config('statement_timeout', $1, true)

-- listed --
SELECT c.number, a.id, a.at, a.actor, a.action, a.target, a.detail, c.hash
FROM audit_chain c
JOIN operator_actions a ON a.id = c.action_id
WHERE ($1::text IS NULL OR a.actor = $1)
  AND ($2::text IS NULL OR a.action = $2)
  AND ($3::text IS NULL OR a.target = $3)
  AND ($4::bigint IS NULL OR c.number < $4)
ORDER BY c.number DESC
LIMIT $5

-- head --
SELECT number, hash FROM audit_chain ORDER BY number DESC LIMIT 1

-- stretch --
-- Each link made again from its action and the link before.
SELECT c.number, c.hash, a.id IS NOT NULL AS present,
       audit_hash(COALESCE(before.hash, ''::bytea), c.number, a) = c.hash AS right
FROM audit_chain c
LEFT JOIN operator_actions a ON a.id = c.action_id
LEFT JOIN audit_chain before ON before.number = c.number - 1
WHERE c.number > $1
ORDER BY c.number
LIMIT $2

-- unchained --
SELECT id FROM operator_actions a
WHERE NOT EXISTS (SELECT FROM audit_chain c WHERE c.action_id = a.id)
ORDER BY id LIMIT 1

-- unguarded --
SELECT t.name FROM unnest($1::text[]) AS t (name)
WHERE NOT EXISTS (SELECT FROM pg_trigger g
                  WHERE g.tgrelid = t.name::regclass AND g.tgname = 'append_only'
                    AND g.tgenabled IN ('O', 'A'))
   OR (t.name = 'operator_actions'
       AND NOT EXISTS (SELECT FROM pg_trigger g
                       WHERE g.tgrelid = t.name::regclass AND g.tgname = 'chained'
                         AND g.tgenabled IN ('O', 'A')))
ORDER BY t.name
