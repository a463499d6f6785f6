-- purpose: tables that pg_repack refuses: no unique index on columns that are never empty
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT c.relname::text AS name, pg_total_relation_size(c.oid) AS bytes
FROM pg_class AS c
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND NOT EXISTS (
  SELECT 1 FROM pg_index AS i
  WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND NOT EXISTS (
    SELECT 1 FROM unnest(i.indkey::int[]) AS k JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k WHERE NOT a.attnotnull))
ORDER BY 2 DESC, 1
LIMIT :'limit'::bigint;
