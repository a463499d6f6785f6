-- purpose: dead rows, when autovacuum comes for them, and the space a table wastes as estimated from the width of its rows
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; reads the catalogue and the statistics (a role sees those of columns it may read)
-- schema: 84-94
SELECT c.relname AS name, pg_relation_size(c.oid) AS heap_bytes, s.n_live_tup AS live_rows, s.n_dead_tup AS dead_rows,
       CASE WHEN w.columns = live.columns AND c.reltuples > 0 THEN
         greatest(0, pg_relation_size(c.oid)
                     - ceil(c.reltuples * (28 + ((w.width + 7)::bigint / 8 * 8)) / (current_setting('block_size')::float8 - 24))
                       * current_setting('block_size')::bigint)::bigint END AS wasted_bytes,
       (coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_threshold'),
                 current_setting('autovacuum_vacuum_threshold')::float8)
        + coalesce((SELECT option_value::float8 FROM pg_options_to_table(c.reloptions) WHERE option_name = 'autovacuum_vacuum_scale_factor'),
                   current_setting('autovacuum_vacuum_scale_factor')::float8) * greatest(c.reltuples, 0))::bigint AS vacuum_at,
       (extract(epoch FROM greatest(s.last_vacuum, s.last_autovacuum)) * 1000)::bigint AS vacuumed_ms,
       (extract(epoch FROM greatest(s.last_analyze, s.last_autoanalyze)) * 1000)::bigint AS analyzed_ms,
       count(*) OVER () AS all_count
FROM pg_class AS c
JOIN pg_stat_user_tables AS s ON s.relid = c.oid
CROSS JOIN LATERAL (SELECT count(*) AS columns FROM pg_attribute AS a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS live
CROSS JOIN LATERAL (SELECT count(*) AS columns, sum((1 - p.null_frac) * p.avg_width) AS width
                    FROM pg_stats AS p WHERE p.schemaname = 'public' AND p.tablename = c.relname AND NOT p.inherited) AS w
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND (s.n_dead_tup > 0 OR pg_relation_size(c.oid) > 1048576)
ORDER BY 5 DESC NULLS LAST, s.n_dead_tup DESC, c.relname
LIMIT :'limit'::bigint;
