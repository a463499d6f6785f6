-- purpose: sequences by how much of their numbers is used
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT sequencename::text AS name, last_value, round((100.0 * last_value / max_value)::numeric, 4) AS percent
FROM pg_sequences
WHERE schemaname = 'public'
ORDER BY last_value::float8 / max_value DESC NULLS LAST, 1
LIMIT :'limit'::bigint;
