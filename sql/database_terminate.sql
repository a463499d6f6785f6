-- purpose: ends a process's connection, if it is still that process
-- locks: none; the transaction is rolled back and gives its locks back
-- safe while Synapse runs: yes; Synapse connects anew
-- schema: any
SELECT pg_terminate_backend(pid) AS signalled
FROM pg_stat_activity
WHERE pid = :'pid'::integer AND backend_type = 'client backend' AND datname = current_database()
  AND (extract(epoch FROM backend_start) * 1000000)::bigint = :'started_us'::bigint;
