-- purpose: how far one server process is with its VACUUM, ANALYZE, REINDEX or VACUUM FULL, and whom it waits for
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- `total` is 0 where a phase has no counter of its own (indexes while a table is vacuumed): then only the phase is shown.
SELECT coalesce(p.phase, '') AS phase, coalesce(p.done, 0) AS done, coalesce(p.total, 0) AS total, coalesce(b.names, '') AS waits_for
FROM (SELECT :'pid'::integer AS pid) AS w
LEFT JOIN (
  SELECT pid, phase,
         CASE phase WHEN 'scanning heap' THEN heap_blks_scanned WHEN 'vacuuming heap' THEN heap_blks_vacuumed END AS done,
         CASE WHEN phase IN ('scanning heap', 'vacuuming heap') THEN heap_blks_total END AS total
  FROM pg_stat_progress_vacuum
  UNION ALL
  SELECT pid, phase, sample_blks_scanned, sample_blks_total FROM pg_stat_progress_analyze
  UNION ALL
  SELECT pid, phase, CASE WHEN tuples_total > 0 THEN tuples_done ELSE blocks_done END,
         CASE WHEN tuples_total > 0 THEN tuples_total ELSE blocks_total END
  FROM pg_stat_progress_create_index
  UNION ALL
  SELECT pid, CASE WHEN phase = 'rebuilding index' THEN format('rebuilding index %s', index_rebuild_count + 1) ELSE phase END,
         CASE WHEN phase = 'seq scanning heap' THEN heap_blks_scanned END, CASE WHEN phase = 'seq scanning heap' THEN heap_blks_total END
  FROM pg_stat_progress_cluster
) AS p USING (pid)
LEFT JOIN LATERAL (
  SELECT string_agg(format('%s (pid %s)', coalesce(nullif(a.application_name, ''), 'an unnamed program'), a.pid), ', ' ORDER BY a.pid) AS names
  FROM pg_stat_activity a WHERE a.pid = ANY (pg_blocking_pids(w.pid))) AS b ON true;
