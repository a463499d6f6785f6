-- purpose: one connected process: what it is and what it does, and what tells it from a later one of the same number
-- locks: none
-- safe while Synapse runs: yes; the statement is only shown with its literals replaced (core/statement_text)
-- schema: any
SELECT pid, coalesce(usename, '') AS role, application_name AS application, coalesce(state, '') AS state, coalesce(backend_type, '') AS backend_type,
       coalesce(datname = current_database(), false) AS here, pid = pg_backend_pid() AS is_self,
       extract(epoch FROM clock_timestamp() - xact_start)::bigint AS transaction_seconds,
       (extract(epoch FROM backend_start) * 1000000)::bigint AS started_us, (extract(epoch FROM query_start) * 1000000)::bigint AS statement_us,
       (SELECT count(*) FROM pg_stat_activity AS w WHERE a.pid = ANY (pg_blocking_pids(w.pid))) AS holds_up,
       EXISTS (SELECT 1 FROM pg_stat_replication AS r WHERE r.pid = a.pid) AS replicates,
       EXISTS (SELECT 1 FROM pg_stat_progress_basebackup AS b WHERE b.pid = a.pid) AS backs_up,
       coalesce(left(query, 4000), '') AS statement
FROM pg_stat_activity AS a
WHERE pid = :'pid'::integer;
