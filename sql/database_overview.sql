-- purpose: the health of the database on one card: size, oldest transaction, dead rows, cache, connections, temporary files, age of the oldest row version
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; reads the catalogue and the statistics only
-- schema: 84-94
SELECT pg_database_size(current_database()) AS database_bytes, current_database() AS name,
       t.tables, t.live_rows, t.dead_rows, worst.relname AS worst_table, worst.n_dead_tup AS worst_dead,
       d.cache_hits, d.temp_files, d.temp_bytes, d.deadlocks, d.since_ms,
       a.connections, a.cluster_connections, current_setting('max_connections')::bigint AS max_connections, a.idle_in_transaction, a.blocked,
       a.oldest_seconds, oldest.pid AS oldest_pid, oldest.application_name AS oldest_application, oldest.state AS oldest_state,
       p.prepared, p.prepared_seconds,
       w.transactions_age, w.multixacts_age, w.freeze_age,
       pg_is_in_recovery() AS in_recovery, s.slots, s.inactive_slots, s.retained_bytes, r.replicas, r.lag_bytes
FROM (SELECT count(*) AS tables, coalesce(sum(n_live_tup), 0)::bigint AS live_rows, coalesce(sum(n_dead_tup), 0)::bigint AS dead_rows
      FROM pg_stat_user_tables WHERE schemaname = 'public') AS t
LEFT JOIN LATERAL (SELECT relname, n_dead_tup FROM pg_stat_user_tables WHERE schemaname = 'public' AND n_dead_tup > 0
                   ORDER BY n_dead_tup DESC, relname LIMIT 1) AS worst ON true
CROSS JOIN LATERAL (SELECT round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1) AS cache_hits, temp_files, temp_bytes, deadlocks,
                   (extract(epoch FROM stats_reset) * 1000)::bigint AS since_ms
                   FROM pg_stat_database WHERE datname = current_database()) AS d
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE datname = current_database()) AS connections,
                   count(*) FILTER (WHERE backend_type = 'client backend') AS cluster_connections,
                   count(*) FILTER (WHERE datname = current_database() AND state LIKE 'idle in transaction%') AS idle_in_transaction,
                   count(*) FILTER (WHERE datname = current_database() AND wait_event_type = 'Lock') AS blocked,
                   extract(epoch FROM now() - min(xact_start) FILTER (WHERE datname = current_database() AND pid <> pg_backend_pid()))::bigint AS oldest_seconds
                   FROM pg_stat_activity) AS a
LEFT JOIN LATERAL (SELECT pid, application_name, state FROM pg_stat_activity
                   WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
                   ORDER BY xact_start LIMIT 1) AS oldest ON true
CROSS JOIN LATERAL (SELECT count(*) AS prepared, extract(epoch FROM now() - min(x.prepared))::bigint AS prepared_seconds
                   FROM pg_prepared_xacts AS x WHERE x.database = current_database()) AS p
CROSS JOIN LATERAL (SELECT age(datfrozenxid)::bigint AS transactions_age, mxid_age(datminmxid)::bigint AS multixacts_age,
                   current_setting('autovacuum_freeze_max_age')::bigint AS freeze_age
                   FROM pg_database WHERE datname = current_database()) AS w
CROSS JOIN LATERAL (SELECT count(*) AS slots, count(*) FILTER (WHERE NOT active) AS inactive_slots,
                   max(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn) END)::bigint AS retained_bytes
                   FROM pg_replication_slots) AS s
CROSS JOIN LATERAL (SELECT count(*) AS replicas,
                   max(CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END)::bigint AS lag_bytes
                   FROM pg_stat_replication) AS r;
