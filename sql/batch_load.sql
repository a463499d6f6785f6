-- purpose: what makes a job wait between its batches: a backup, a replica behind, an old transaction; and how busy the others are
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- Without pg_monitor the times of other roles' transactions and of replicas are hidden: those reasons are then not seen.
WITH others AS (
  SELECT a.pid, a.application_name, a.state, a.xact_start, a.backend_type, a.usename FROM pg_stat_activity a
  WHERE a.datname = current_database() AND a.pid NOT IN (pg_backend_pid(), :'pid'::integer)),
oldest AS (
  SELECT o.pid, o.application_name, o.usename, extract(epoch FROM now() - o.xact_start)::bigint AS seconds FROM others o
  WHERE o.xact_start IS NOT NULL AND o.backend_type = 'client backend' AND NOT starts_with(o.application_name, 'synapse-steward')
  ORDER BY o.xact_start LIMIT 1)
SELECT coalesce((SELECT min(application_name) FROM others WHERE application_name IN ('pg_dump', 'pg_dumpall')),
                CASE WHEN EXISTS (SELECT 1 FROM pg_stat_progress_basebackup) OR EXISTS (SELECT 1 FROM pg_stat_replication WHERE state = 'backup')
                     THEN 'base backup' END) AS backup,
       (SELECT max(extract(epoch FROM replay_lag))::bigint FROM pg_stat_replication) AS lag_seconds,
       (SELECT seconds FROM oldest) AS oldest_seconds, (SELECT pid FROM oldest) AS oldest_pid,
       (SELECT coalesce(nullif(application_name, ''), usename::text) FROM oldest) AS oldest_name,
       (SELECT count(*) FROM others WHERE state = 'active' AND backend_type = 'client backend'
          AND NOT starts_with(application_name, 'synapse-steward')) AS active,
       (SELECT count(*) FROM others WHERE :'pid'::integer = ANY (pg_blocking_pids(pid))) AS blocked;
