-- purpose: replication slots and the log they keep
-- locks: none
-- safe while Synapse runs: yes
-- schema: any
SELECT slot_name::text AS name, slot_type AS type, active, wal_status,
       CASE WHEN pg_is_in_recovery() THEN NULL ELSE pg_wal_lsn_diff(pg_current_wal_lsn(), restart_lsn)::bigint END AS kept_bytes
FROM pg_replication_slots
ORDER BY 5 DESC NULLS LAST, 1
LIMIT :'limit'::bigint;
