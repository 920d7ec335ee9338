-- lock --
SELECT pg_advisory_xact_lock(7301944028)

-- today --
SELECT date_trunc('day', now())

-- present --
SELECT child.relname AS name
FROM pg_inherits
JOIN pg_class child ON child.oid = pg_inherits.inhrelid

-- create --
CREATE TABLE {name} PARTITION OF {table} FOR VALUES FROM ('{start}') TO ('{end}')
