-- purpose: cancels the statement that a process runs, if it is still that process and that statement
-- locks: none; the cancelled transaction gives its locks back
-- safe while Synapse runs: yes; Synapse tries a cancelled transaction again or answers its user with an error
-- schema: any
SELECT pg_cancel_backend(pid) AS signalled
FROM pg_stat_activity
WHERE pid = :'pid'::integer AND backend_type = 'client backend' AND datname = current_database()
  AND (extract(epoch FROM backend_start) * 1000000)::bigint = :'started_us'::bigint
  AND (extract(epoch FROM query_start) * 1000000)::bigint = :'statement_us'::bigint;
