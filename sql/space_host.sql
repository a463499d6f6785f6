-- purpose: where the database's files are, and what holds up a rewrite
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- The folder is hidden without pg_read_all_settings. `same_host`: the server sees us come from its own address.
SELECT (SELECT setting FROM pg_settings WHERE name = 'data_directory') AS data_directory,
       inet_server_addr() IS NULL OR host(inet_server_addr()) IN ('127.0.0.1', '::1') OR inet_server_addr() = inet_client_addr() AS same_host,
       (SELECT count(*) FROM pg_replication_slots) AS slots,
       (SELECT coalesce(extract(epoch FROM max(now() - xact_start)), 0)::bigint FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL AND backend_type = 'client backend') AS oldest_transaction,
       (SELECT count(*) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
        WHERE NOT i.indisvalid AND x.relnamespace = 'pg_toast'::regnamespace AND x.relname ~ '_cc(new|old)[0-9]*$') AS toast_leftovers;
