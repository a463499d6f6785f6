-- purpose: versions of PostgreSQL and of Synapse's schema
-- locks: ACCESS SHARE on schema_version, schema_compat_version, background_updates
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT current_setting('server_version') AS postgresql, current_setting('server_version_num')::bigint AS postgresql_number,
       (SELECT max(version) FROM schema_version) AS schema_version,
       (SELECT max(compat_version) FROM schema_compat_version) AS compat_version,
       (SELECT count(*) FROM background_updates) AS background_updates;
