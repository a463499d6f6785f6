-- purpose: what the database runs with: locale, encoding, settings that matter to Synapse
-- locks: none
-- safe while Synapse runs: yes
-- schema: any
SELECT d.datcollate AS collate, d.datctype AS ctype, pg_encoding_to_char(d.encoding) AS encoding,
       coalesce(d.datcollversion, '') AS collation_made, coalesce(pg_database_collation_actual_version(d.oid), '') AS collation_now,
       current_setting('server_version') AS server_version,
       current_setting('autovacuum')::boolean AS autovacuum, current_setting('track_counts')::boolean AS track_counts,
       current_setting('fsync')::boolean AS fsync, current_setting('full_page_writes')::boolean AS full_page_writes,
       current_setting('data_checksums')::boolean AS data_checksums,
       pg_size_bytes(current_setting('shared_buffers')) AS shared_buffers_bytes,
       pg_size_bytes(current_setting('effective_cache_size')) AS cache_bytes,
       pg_size_bytes(current_setting('work_mem')) AS work_mem_bytes,
       pg_size_bytes(current_setting('maintenance_work_mem')) AS maintenance_bytes,
       pg_database_size(current_database()) AS database_bytes,
       (SELECT coalesce(array_agg(format('%s = %s for %s', split_part(one, '=', 1), split_part(one, '=', 2),
                 CASE WHEN r.setrole = 0 THEN 'the database' ELSE 'role ' || pg_get_userbyid(r.setrole) END) ORDER BY 1), '{}')
        FROM pg_db_role_setting AS r, unnest(r.setconfig) AS one
        WHERE (r.setdatabase = d.oid OR r.setdatabase = 0) AND split_part(one, '=', 1) LIKE '%\_timeout') AS own_timeouts,
       age(d.datfrozenxid)::bigint AS transactions_age, current_setting('autovacuum_freeze_max_age')::bigint AS freeze_age,
       (SELECT count(*) FROM pg_prepared_xacts AS x WHERE x.database = d.datname) AS prepared,
       (SELECT count(*) FROM pg_replication_slots AS s WHERE NOT s.active) AS inactive_slots
FROM pg_database AS d
WHERE d.datname = current_database();
