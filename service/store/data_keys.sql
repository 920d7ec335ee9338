-- data_keys --
SELECT 'data key' AS kind, name, wrapped AS sealed, generation, made_at
FROM data_keys ORDER BY name

-- tokens --
SELECT 'access token' AS kind, destination AS name, sealed, generation, renewed_at AS made_at
FROM tokens WHERE generation > 0 ORDER BY destination

-- lock_data_key --
SELECT wrapped FROM data_keys WHERE name = $1 FOR UPDATE

-- lock_token --
SELECT sealed FROM tokens WHERE destination = $1 AND generation > 0 FOR UPDATE

-- wrap_data_key --
UPDATE data_keys SET wrapped = $2, generation = generation + 1, wrapped_at = now() WHERE name = $1

-- wrap_token --
UPDATE tokens SET sealed = $2 WHERE destination = $1
