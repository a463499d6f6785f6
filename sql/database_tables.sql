-- purpose: every table with its size, largest first, and the size of the whole database
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; reads the catalogue and file sizes
-- schema: 84-94
SELECT c.relname AS name, pg_relation_size(c.oid) AS heap_bytes, pg_indexes_size(c.oid) AS index_bytes,
       pg_total_relation_size(c.oid) - pg_relation_size(c.oid) - pg_indexes_size(c.oid) AS other_bytes,
       pg_total_relation_size(c.oid) AS bytes,
       CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS rows,
       count(*) OVER () AS all_count, pg_database_size(current_database()) AS database_bytes
FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace
ORDER BY pg_total_relation_size(c.oid) DESC, c.relname
LIMIT :'limit'::bigint;
