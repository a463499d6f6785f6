-- purpose: what an alert watches of the database itself: connections, the oldest transaction, the age of the oldest row version
-- locks: none beyond the catalogue's
-- safe while Synapse runs: yes; statistics only
-- schema: any
SELECT a.connections * 100 / current_setting('max_connections')::bigint AS connections_percent, a.connections,
       coalesce(a.oldest_seconds, 0) AS oldest_seconds, coalesce(oldest.application_name, '') AS oldest_application, coalesce(oldest.pid, 0) AS oldest_pid,
       (SELECT age(datfrozenxid)::bigint * 100 / 2147483648 FROM pg_database WHERE datname = current_database()) AS wraparound_percent
FROM (SELECT count(*) FILTER (WHERE backend_type = 'client backend') AS connections,
             extract(epoch FROM now() - min(xact_start) FILTER (WHERE datname = current_database() AND pid <> pg_backend_pid()))::bigint AS oldest_seconds
      FROM pg_stat_activity) AS a
LEFT JOIN LATERAL (SELECT pid, application_name FROM pg_stat_activity
                   WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()
                   ORDER BY xact_start LIMIT 1) AS oldest ON true;
