-- purpose: the tables of Synapse's schema, or one of them by name: sizes, dead rows, what an estimate calls unused
-- locks: ACCESS SHARE on each table while its size is read
-- safe while Synapse runs: yes
-- schema: 84-94
-- `wasted` is an estimate from the planner's statistics (row width), of the heap only; NULL before the first ANALYZE.
SELECT c.relname AS name, format('%I.%I', n.nspname, c.relname) AS quoted, c.relfilenode::bigint AS filenode,
       pg_relation_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes, pg_total_relation_size(c.oid) AS total,
       greatest(c.reltuples, 0)::bigint AS rows, coalesce(s.n_live_tup, 0) AS live, coalesce(s.n_dead_tup, 0) AS dead,
       greatest(s.last_analyze, s.last_autoanalyze) IS NOT NULL AS analysed,
       CASE WHEN w.width IS NOT NULL AND c.reltuples > 0 THEN
         greatest(0, pg_relation_size(c.oid) - ceil(c.reltuples * (28 + (w.width + 7)::bigint / 8 * 8) / (current_setting('block_size')::float8 - 24))
                     * current_setting('block_size')::bigint)::bigint END AS wasted,
       CASE WHEN current_setting('server_version_num')::integer >= 170000 THEN has_table_privilege(c.oid, 'MAINTAIN')
            ELSE pg_has_role(c.relowner, 'USAGE') END AS allowed,
       pg_tablespace_location(CASE WHEN c.reltablespace = 0 THEN d.dattablespace ELSE c.reltablespace END) AS location
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_database d ON d.datname = current_database()
LEFT JOIN pg_stat_all_tables s ON s.relid = c.oid
LEFT JOIN LATERAL (SELECT sum((1 - null_frac) * avg_width) AS width FROM pg_stats p WHERE p.schemaname = n.nspname AND p.tablename = c.relname) AS w ON true
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_version'))
  AND (:'table'::text = '' OR c.relname = :'table'::text)
ORDER BY c.relname;
