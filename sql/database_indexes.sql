-- purpose: every index with its size and how often it was used, largest first
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; reads the catalogue, the statistics and file sizes
-- schema: 84-94
SELECT c.relname AS name, t.relname AS table_name, pg_relation_size(c.oid) AS bytes, coalesce(s.idx_scan, 0) AS scans,
       i.indisunique AS is_unique, i.indisvalid AND i.indisready AS is_valid,
       count(*) OVER () AS all_count, pg_database_size(current_database()) AS database_bytes
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
JOIN pg_class AS t ON t.oid = i.indrelid
LEFT JOIN pg_stat_user_indexes AS s ON s.indexrelid = i.indexrelid
WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace
ORDER BY pg_relation_size(c.oid) DESC, c.relname
LIMIT :'limit'::bigint;
