-- find --
SELECT name, wrapped FROM data_keys WHERE name = ANY($1::text[])

-- make --
INSERT INTO data_keys (name, wrapped) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING

-- forget --
-- Requests of the days before are gone, but for those of a clock gone wrong.
DELETE FROM data_keys k
WHERE k.name < $1 AND k.name ~ '^[0-9]{8}-'
  AND NOT EXISTS (SELECT FROM captures c WHERE c.sealed_with = k.name)
  AND NOT EXISTS (SELECT FROM requests_default r WHERE r.sealed_with = k.name)
RETURNING k.name
