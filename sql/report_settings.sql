-- purpose: settings of PostgreSQL that matter to Synapse
-- locks: none
-- safe while Synapse runs: yes
-- schema: any
SELECT name, setting, unit
FROM pg_settings
WHERE name IN ('shared_buffers', 'effective_cache_size', 'work_mem', 'maintenance_work_mem', 'random_page_cost', 'max_connections',
               'autovacuum', 'autovacuum_max_workers', 'server_version', 'data_checksums', 'max_wal_size', 'wal_level')
ORDER BY name;
