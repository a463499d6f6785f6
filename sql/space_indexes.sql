-- purpose: the indexes of Synapse's tables: of one table, or one by its own name; and what a cancelled concurrent reindex left
-- locks: ACCESS SHARE on each index while its size is read
-- safe while Synapse runs: yes
-- schema: 84-94
-- `leftover`: invalid and named as REINDEX CONCURRENTLY names its copies; `busy`: an index of that table is being built right now (another
-- role's work hides its table and counts as that).
SELECT x.relname AS name, format('%I.%I', n.nspname, x.relname) AS quoted, t.relname AS table_name, x.relfilenode::bigint AS filenode,
       pg_relation_size(x.oid) AS bytes,
       i.indisvalid AND i.indisready AND i.indislive AS valid,
       NOT i.indisvalid AND x.relname ~ '_cc(new|old)[0-9]*$' AS leftover,
       EXISTS (SELECT 1 FROM pg_stat_progress_create_index p WHERE p.datname = current_database() AND (p.relid = i.indrelid OR p.relid IS NULL)) AS busy,
       CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN has_table_privilege(t.oid, 'MAINTAIN')
            ELSE pg_has_role(t.relowner, 'USAGE') END AS allowed,
       pg_tablespace_location(CASE WHEN x.reltablespace = 0 THEN d.dattablespace ELSE x.reltablespace END) AS location
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_class t ON t.oid = i.indrelid
JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_database d ON d.datname = current_database()
WHERE t.relkind = 'r' AND t.relpersistence <> 't' AND NOT i.indisexclusion
  AND t.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_version'))
  AND (:'table'::text = '' OR t.relname = :'table'::text) AND (:'index'::text = '' OR x.relname = :'index'::text)
ORDER BY t.relname, x.relname;
