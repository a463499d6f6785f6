-- purpose: how far the bot's pg_repack is with one table, and whom it waits for
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- role: writer
-- The rows of the copy are not seen before it is committed, so copying has no percentage. `waits` is the process that pg_repack named last.
WITH ours AS (
  SELECT pid, query FROM pg_stat_activity
  WHERE datname = current_database() AND application_name = 'synapse-steward repack'
    AND query NOT LIKE 'LOCK TABLE % IN ACCESS SHARE MODE' ORDER BY state = 'active' DESC LIMIT 1)
SELECT coalesce(CASE WHEN p.pid IS NOT NULL THEN format('building index %s of %s', built.count + 1, wanted.count)
                     WHEN o.query LIKE 'INSERT %repack.table%' THEN 'copying the rows'
                     WHEN o.query LIKE '%repack_apply%' OR o.query LIKE '%virtualxid%' THEN 'catching up with what was written meanwhile'
                     WHEN o.query LIKE 'LOCK TABLE%' THEN 'taking its lock'
                     WHEN o.query LIKE '%repack_drop%' THEN 'tidying up' END, '') AS phase,
       CASE WHEN p.tuples_total > 0 THEN p.tuples_done ELSE coalesce(p.blocks_done, 0) END AS done,
       CASE WHEN p.tuples_total > 0 THEN p.tuples_total ELSE coalesce(p.blocks_total, 0) END AS total,
       coalesce(b.names, '') AS waits_for
FROM (SELECT :'oid'::bigint AS oid) AS t
LEFT JOIN ours o ON true
LEFT JOIN pg_stat_progress_create_index p ON p.pid = o.pid
CROSS JOIN LATERAL (SELECT count(*) FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                    WHERE n.nspname = 'repack' AND c.relname = 'table_' || t.oid) AS built
CROSS JOIN LATERAL (SELECT count(*) FROM pg_index i WHERE i.indrelid::bigint = t.oid) AS wanted
LEFT JOIN LATERAL (
  SELECT string_agg(format('%s (pid %s)', coalesce(nullif(a.application_name, ''), 'an unnamed program'), a.pid), ', ' ORDER BY a.pid) AS names
  FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(o.pid)) OR a.pid = :'waits'::integer) AS b ON true;
