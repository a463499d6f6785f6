-- purpose: who is connected to this database, what each does, who waits for whom
-- locks: none
-- safe while Synapse runs: yes; the statements hold access tokens: only shown with their literals replaced (core/statement_text)
-- schema: any
SELECT pid, coalesce(usename, '') AS role, application_name AS application, coalesce(state, backend_type) AS state, backend_type,
       extract(epoch FROM clock_timestamp() - xact_start)::bigint AS transaction_seconds,
       extract(epoch FROM clock_timestamp() - query_start)::bigint AS statement_seconds,
       concat_ws(' ', wait_event_type, wait_event) AS waits_for,
       pg_blocking_pids(pid)::text[] AS blocked_by, coalesce(left(query, 4000), '') AS statement
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
ORDER BY cardinality(pg_blocking_pids(pid)) = 0, xact_start NULLS LAST, pid;
