-- purpose: what pg_repack needs for one table (its extension, a superuser, a key), and what one that did not end has left there
-- locks: none on user tables
-- safe while Synapse runs: yes
-- schema: 84-94
-- role: writer
-- `peer` is a server process of the bot's other connection: seen here, both are in the same database. 16185446 is the number under which
-- pg_repack takes its advisory lock; `mark` is the bot's own comment on the log of a run that it started.
SELECT (SELECT extversion FROM pg_extension WHERE extname = 'pg_repack') AS extension,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser,
       current_setting('server_version_num')::integer / 10000 AS major,
       EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = :'peer'::integer AND datname = current_database()) AS same_database,
       t.oid::bigint AS oid, t.relfilenode::bigint AS filenode,
       EXISTS (SELECT 1 FROM pg_index i WHERE i.indrelid = t.oid AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
               AND NOT EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey) AND NOT a.attnotnull)) AS has_key,
       (SELECT min(x.relname) FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = t.oid AND NOT i.indisvalid) AS invalid_index,
       (SELECT min(coalesce(nullif(a.application_name, ''), 'an unnamed program')) FROM pg_locks l JOIN pg_stat_activity a USING (pid)
        WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2 AND l.classid = 16185446
          AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND l.objid::bigint = (t.oid::bigint + 2147483648) % 4294967296) AS busy_by,
       ARRAY (SELECT 'trigger ' || tgname FROM pg_trigger WHERE tgrelid = t.oid AND tgname = 'repack_trigger'
              UNION ALL
              SELECT 'repack.' || c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
              WHERE n.nspname = 'repack' AND c.relname IN ('log_' || t.oid, 'table_' || t.oid, 'pk_' || t.oid)) AS leftovers,
       (SELECT obj_description(c.oid, 'pg_class') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'repack' AND c.relname = 'log_' || t.oid) AS mark
FROM (VALUES (:'table'::text)) AS wanted (name)
LEFT JOIN pg_class t ON t.relname = wanted.name AND t.relkind = 'r'
  AND t.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('schema_version'));
