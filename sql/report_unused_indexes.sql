-- purpose: indexes never used since the statistics began; for information, they belong to Synapse
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT s.indexrelname::text AS name, s.relname::text AS table_name, pg_relation_size(s.indexrelid) AS bytes
FROM pg_stat_user_indexes AS s JOIN pg_index AS i USING (indexrelid)
WHERE s.schemaname = 'public' AND s.idx_scan = 0 AND NOT i.indisunique
  AND NOT EXISTS (SELECT 1 FROM pg_constraint AS c WHERE c.conindid = s.indexrelid)
ORDER BY 3 DESC, 1
LIMIT :'limit'::bigint;
