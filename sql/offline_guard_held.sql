-- purpose: whether the process still holds the lock without which Synapse cannot start
-- locks: none
-- safe while Synapse runs: yes
-- schema: 84-94
SELECT EXISTS (SELECT 1 FROM pg_locks WHERE pid = :'pid'::integer AND locktype = 'relation' AND granted
               AND relation = 'schema_compat_version'::regclass AND mode = 'AccessExclusiveLock') AS held;
