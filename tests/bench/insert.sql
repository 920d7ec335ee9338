-- Baseline (e): what a client that stores one webhook at a time costs PostgreSQL.
\set key random(1, 9000000000000000)
INSERT INTO bench_inserts (source, key, body) VALUES ('shop', :key, repeat('x', 2048))
ON CONFLICT DO NOTHING;
