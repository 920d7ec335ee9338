-- known --
INSERT INTO budgets (destination, name, count, period)
SELECT $1, name, count, period
FROM unnest($2::text[], $3::float8[], $4::interval[]) AS said (name, count, period)
ORDER BY name
ON CONFLICT (destination, name) DO UPDATE SET count = excluded.count, period = excluded.period
WHERE (budgets.count, budgets.period) <> (excluded.count, excluded.period)

-- take --
-- Locked first, so that the clock is read when the row is ours and not while others have it.
-- Not waited for on the disk: what a crash of the database forgets is a moment's worth.
WITH lax AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), seen AS MATERIALIZED (
    SELECT earned_at, rests_until, live_until, ceiling FROM budgets, lax
    WHERE destination = $1 AND name = $2 FOR UPDATE OF budgets
), now AS MATERIALIZED (
    SELECT *, clock_timestamp() AS at FROM seen
), line AS MATERIALIZED (
    SELECT *, GREATEST(earned_at, rests_until, at) AS start FROM now
), judged AS MATERIALIZED (
    SELECT *,
           $3::float8 > 0
           AND start <= at + make_interval(secs => $5)
           AND ($6::boolean OR live_until IS NULL OR live_until <= at) AS granted
    FROM line
)
UPDATE budgets b SET
    earned_at = CASE WHEN granted THEN start + make_interval(secs => $3 * $4) ELSE b.earned_at END,
    -- Somebody with live work has to wait: until it comes again the rest takes nothing.
    live_until = CASE WHEN $6 AND start > at + make_interval(secs => $7)
                      THEN at + make_interval(secs => $8) ELSE b.live_until END
FROM judged
WHERE b.destination = $1 AND b.name = $2
RETURNING granted, extract(epoch FROM at)::float8 AS at, extract(epoch FROM start)::float8 AS start,
          extract(epoch FROM b.live_until)::float8 AS live_until, b.ceiling

-- draw --
WITH lax AS MATERIALIZED (
    SELECT set_config('synchronous_commit', 'off', true)
), seen AS MATERIALIZED (
    SELECT rests_until, ceiling, resets_at, used FROM budgets, lax
    WHERE destination = $1 AND name = $2 FOR UPDATE OF budgets
), now AS MATERIALIZED (
    SELECT rests_until, clock_timestamp() AS at,
           CASE WHEN resets_at > clock_timestamp() THEN resets_at END AS until,
           CASE WHEN resets_at > clock_timestamp() THEN used ELSE 0 END AS gone
    FROM seen
), judged AS MATERIALIZED (
    SELECT *,
           $3::float8 > 0 AND gone + $3 <= $4::float8
           AND (rests_until IS NULL OR rests_until <= at) AS granted
    FROM now
)
UPDATE budgets b SET
    used = CASE WHEN granted THEN gone + $3 ELSE gone END,
    resets_at = CASE WHEN granted THEN COALESCE(until, at + $5::interval) ELSE until END
FROM judged
WHERE b.destination = $1 AND b.name = $2
RETURNING granted, extract(epoch FROM at)::float8 AS at, b.used, b.ceiling,
          extract(epoch FROM b.resets_at)::float8 AS resets_at,
          extract(epoch FROM b.rests_until)::float8 AS rests_until

-- untake --
-- Only what lies at the end of the line can be put back; in the middle it is lost.
UPDATE budgets SET earned_at = to_timestamp($4::float8)
WHERE destination = $1 AND name = $2
  AND abs(extract(epoch FROM earned_at)::float8 - $3::float8) < 0.00001

-- undraw --
UPDATE budgets SET used = GREATEST(0, used - $3::float8)
WHERE destination = $1 AND name = $2
  AND abs(extract(epoch FROM resets_at)::float8 - $4::float8) < 0.00001

-- learn --
UPDATE budgets SET
    rests_until = GREATEST(rests_until, clock_timestamp() + make_interval(secs => $3)),
    earned_at = GREATEST(earned_at, clock_timestamp() + make_interval(secs => $4)),
    ceiling = COALESCE($5::float8, ceiling),
    resets_at = COALESCE(clock_timestamp() + make_interval(secs => $6), resets_at),
    used = COALESCE($7::float8, CASE WHEN resets_at > clock_timestamp() THEN used ELSE 0 END),
    updated_at = now()
WHERE destination = $1 AND name = $2

-- all --
SELECT name, count, period, COALESCE(ceiling, count) AS ceiling,
       CASE WHEN resets_at > now() THEN used ELSE 0 END AS used,
       CASE WHEN resets_at > now() THEN resets_at END AS resets_at,
       CASE WHEN rests_until > now() THEN rests_until END AS rests_until,
       destination
FROM budgets
WHERE destination = ANY($1::text[])
ORDER BY destination, name
