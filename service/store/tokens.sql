-- find --
SELECT sealed, origin, generation,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS remaining
FROM tokens
WHERE destination = $1 AND generation > 0

-- patience --
SELECT set_config('lock_timeout', $1, true),
       set_config('idle_in_transaction_session_timeout', $2, true)

-- place --
INSERT INTO tokens (destination, sealed, origin, generation)
VALUES ($1, ''::bytea, ''::bytea, 0)
ON CONFLICT (destination) DO NOTHING

-- lock --
SELECT sealed, origin, generation,
       extract(epoch FROM expires_at - clock_timestamp())::float8 AS remaining
FROM tokens
WHERE destination = $1
FOR UPDATE

-- keep --
-- now() is when the transaction began: before the token was asked for, so never too late.
UPDATE tokens SET
    sealed = $2,
    origin = $3,
    generation = generation + 1,
    expires_at = now() + $4::interval,
    renewed_at = now()
WHERE destination = $1
RETURNING generation
