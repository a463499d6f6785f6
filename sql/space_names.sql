-- purpose: the names of Synapse's tables and of their indexes, for the nearest name to one that does not exist
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT c.relname AS name, c.relkind = 'i' AS is_index
FROM pg_class c
WHERE c.relkind IN ('r', 'i') AND c.relpersistence <> 't'
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_version'))
ORDER BY c.relname;
